#include "advice/ledger_workload.hpp"

#include <gtest/gtest.h>

namespace tollgate::advice {
namespace {

TEST(LedgerWorkload, AFileThatIsNotThereIsSaid) {
  const auto read = ledger_workloads({"/nonexistent/ledger.db", 0, 1, ""});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().fault, Fault::io_failed);
  EXPECT_NE(read.error().message.find("/nonexistent/ledger.db"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::advice
