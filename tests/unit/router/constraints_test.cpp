#include "router/constraints.hpp"

#include <gtest/gtest.h>

#include "fleets.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::id;
using testing::Request;

class Constraints : public ::testing::Test {
 protected:
  Constraints() {
    fleet_.pool("home", "llama", 0.6);
    fleet_.managed("cloud", "big", 1.0, 3, 15);
    fleet_.config.backends[1].labels = {{"region", "us"}};
    request_.user("hello");
  }
  NameId forbidden(std::size_t target) {
    return forbidden_by(fleet_.facts(request_), fleet_.config, fleet_.config.targets[target]);
  }
  Fleet fleet_;
  Request request_;
};

TEST_F(Constraints, NoneForbidsNothing) { EXPECT_EQ(forbidden(1), NameId::none); }

TEST_F(Constraints, TrustKeepsARequestInside) {
  fleet_.constraint("stay").trust = Trust::internal;
  EXPECT_EQ(forbidden(0), NameId::none);
  EXPECT_EQ(forbidden(1), id("stay"));
}

TEST_F(Constraints, TheyActOnlyWhereTheirConditionHolds) {
  Constraint& stay = fleet_.constraint("stay");
  stay.trust = Trust::internal;
  stay.when.headers.push_back({"x-data-class", {"phi"}});
  EXPECT_EQ(forbidden(1), NameId::none);
  fleet_.headers = {{"X-Data-Class", "PHI"}};
  EXPECT_EQ(forbidden(1), id("stay"));
}

TEST_F(Constraints, AMissingLabelForbids) {
  fleet_.constraint("eu").labels["region"] = {"eu", "us"};
  EXPECT_EQ(forbidden(0), id("eu"));
  EXPECT_EQ(forbidden(1), NameId::none);
}

TEST_F(Constraints, AnotherValueOfALabelForbids) {
  fleet_.constraint("eu").labels["region"] = {"eu"};
  EXPECT_EQ(forbidden(1), id("eu"));
}

TEST_F(Constraints, AllThatMatchApply) {
  fleet_.constraint("stay").trust = Trust::internal;
  fleet_.constraint("eu").labels["region"] = {"us"};
  EXPECT_EQ(forbidden(0), id("eu"));
  EXPECT_EQ(forbidden(1), id("stay"));
}

TEST_F(Constraints, ATargetOfNoKnownBackendIsForbidden) {
  fleet_.constraint("stay").trust = Trust::internal;
  fleet_.config.targets[0].backend = 77;
  EXPECT_EQ(forbidden(0), id("stay"));
}

TEST_F(Constraints, OneWithoutANameForbidsAllTheSame) {
  fleet_.constraint("").trust = Trust::internal;
  EXPECT_NE(forbidden(1), NameId::none);
}

}  // namespace
}  // namespace tollgate
