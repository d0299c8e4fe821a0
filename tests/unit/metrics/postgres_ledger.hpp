#pragma once
// A ledger in PostgreSQL, on a database of each test's own.

#include <gtest/gtest.h>

#include "metrics/ledger_postgres.hpp"
#include "random_request.hpp"
#include "support/postgres_server.hpp"

namespace tollgate::testing {

inline std::unique_ptr<PostgresLedger> open(const LedgerPlace& place, const std::string& files) {
  auto ledger = PostgresLedger::open(place, files);
  if (!ledger) throw std::runtime_error(ledger.error().message);
  return std::move(ledger).value();
}

class PostgresLedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!server_.why_not().empty()) GTEST_SKIP() << server_.why_not();
    place_ = LedgerPlace(server_.fresh_database());
  }
  /// The first column of the first row.
  std::string text(const std::string& sql) {
    auto connection = PgConnection::open(place_, PgRole::reader);
    if (!connection) throw std::runtime_error(connection.error().message);
    const auto rows = connection.value().run(sql);
    if (!rows) throw std::runtime_error(rows.error().message);
    return rows.value().count() == 0 ? "(nothing)" : std::string(rows.value().text(0, 0));
  }
  std::int64_t number(const std::string& sql) { return std::stoll(text(sql)); }
  OpenRequest request() { return random_settled(random_, next_++); }
  void commit(Ledger& ledger, const std::vector<OpenRequest>& rows) {
    ASSERT_TRUE(ledger.begin().has_value());
    ASSERT_TRUE(ledger.write_names().has_value());
    for (const OpenRequest& row : rows) {
      const auto is_new = ledger.insert(row);
      ASSERT_TRUE(is_new.has_value()) << is_new.error().message;
    }
    const auto done = ledger.commit();
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  /// The place as seen through a proxy.
  LedgerPlace through_proxy() const {
    const std::string url = place_.url().reveal();
    return LedgerPlace(url.substr(0, url.find("?host=")) + "?host=" + folder_.path().string());
  }
  std::string server_socket() const {
    const std::string url = place_.url().reveal();
    return url.substr(url.find("?host=") + 6) + "/.s.PGSQL.5432";
  }

  PostgresServer& server_ = PostgresServer::shared();
  const Folder folder_;
  LedgerPlace place_;
  std::mt19937_64 random_{seed()};
  std::int64_t next_ = 0;
};

}  // namespace tollgate::testing
