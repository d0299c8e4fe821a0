#include "gateway/outliers.hpp"

#include <gmock/gmock.h>

namespace tollgate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// One route among so many targets.
std::vector<Route> route_among(std::size_t count) {
  Route route;
  for (std::size_t i = 0; i < count; ++i) route.among.push_back(i);
  return {route};
}

OutlierRules rules() {
  OutlierRules made;
  made.is_on = true;
  return made;
}

TEST(Outliers, WhoFailsMuchMoreThanItsPeersIsEjected) {
  const std::vector<TargetWindow> targets{{100, 60}, {100, 5}, {100, 0}};
  EXPECT_THAT(outliers_of(targets, route_among(3), rules()), ElementsAre(0));
}

TEST(Outliers, WhenAllFailNobodyIsOne) {
  const std::vector<TargetWindow> targets{{100, 60}, {100, 55}, {100, 70}};
  EXPECT_THAT(outliers_of(targets, route_among(3), rules()), IsEmpty());
}

TEST(Outliers, TooFewAttemptsSayNothing) {
  const std::vector<TargetWindow> targets{{19, 19}, {100, 0}};
  EXPECT_THAT(outliers_of(targets, route_among(2), rules()), IsEmpty());
}

TEST(Outliers, NoMoreThanTheShareIsEjectedAndTheWorstGoesFirst) {
  const std::vector<TargetWindow> targets{{100, 80}, {100, 100}, {100, 0}, {100, 0}};
  EXPECT_THAT(outliers_of(targets, route_among(4), rules()), ElementsAre(1, 0));
  OutlierRules few = rules();
  few.ejected_share_max = 0.25;
  EXPECT_THAT(outliers_of(targets, route_among(4), few), ElementsAre(1));
}

TEST(Outliers, ATargetWithoutPeersIsNeverEjected) {
  const std::vector<TargetWindow> targets{{100, 100}, {100, 0}};
  std::vector<Route> apart(2);
  apart[0].among = {0};
  apart[1].among = {1};
  EXPECT_THAT(outliers_of(targets, apart, rules()), IsEmpty());
  const std::vector<TargetWindow> peer_ejected{{100, 100}, {0, 0, true}};
  EXPECT_THAT(outliers_of(peer_ejected, route_among(2), rules()), IsEmpty());
}

}  // namespace
}  // namespace tollgate
