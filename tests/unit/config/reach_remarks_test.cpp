#include <gmock/gmock.h>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> remarks(const std::string& routes) {
  return remarks_on(*testing::loaded(
      "version: 1\nbackends:\n"
      "  home: {dialect: vllm, url: \"http://gpu\", pool: {billing: dedicated, gpus: 1, "
      "usd_per_gpu_hour: 2}, models: {m: {capability: 0.5, tools: false, context_tokens: 8000}, t: "
      "{capability: 0.2, tools: false, context_tokens: 8000}}}\n"
      "  away: {dialect: openai, api_key: k, models: {gpt-4o: {images: true, context_tokens: 128000}}}\n"
      "routes: [" +
      routes + "]\n"));
}

TEST(ReachRemarks, RoutesThatTogetherLeaveNothingAreNamed) {
  EXPECT_THAT(remarks("{name: a, when: {model: auto, tier: [SIMPLE, MEDIUM]}}, {name: b, when: {model: auto, tier: "
                      "[COMPLEX, REASONING]}}, {name: c, when: {model: auto}}"),
              Contains(HasSubstr("route c never matches: routes a and b before it")));
  EXPECT_THAT(remarks("{name: a, when: {tools: true}}, {name: b, when: {tools: false, stream: true}}, {name: d, when: "
                      "{stream: false}}, {name: c, when: {model: auto, tier: SIMPLE}}"),
              Contains(HasSubstr("route c never matches: routes a, b and d before it")));
}

TEST(ReachRemarks, RoutesThatLeaveSomethingAreNot) {
  for (const std::string routes :
       {"{name: a, when: {model: auto, tier: [SIMPLE, MEDIUM]}}, {name: b, when: {model: auto, tier: COMPLEX}}, "
        "{name: c, when: {model: auto}}",
        "{name: a, when: {model: auto, tools: true}}, {name: b, when: {model: other, tools: false}}, {name: c, when: "
        "{model: auto}}",
        "{name: a, when: {tools: true, user: x}}, {name: b, when: {tools: false}}, {name: c, when: {model: auto}}"}) {
    EXPECT_THAT(remarks(routes), Not(Contains(HasSubstr("route c never matches")))) << routes;
  }
}

TEST(ReachRemarks, TargetsOfARouteThatNeverMatchesAreReachedByNoRoute) {
  EXPECT_THAT(
      remarks("{name: a, when: {model: auto}, among: [home/m]}, {name: b, when: {model: auto}, among: [away/gpt-4o]}"),
      Contains(HasSubstr("no route reaches target away/gpt-4o")));
}

TEST(ReachRemarks, RequestsThatNoTargetOfTheirRouteCanDoAreNamed) {
  const auto refused = HasSubstr("every one of them is refused");
  EXPECT_THAT(remarks("{name: a, when: {model: auto, tools: true}, among: [home/m, home/t]}"), Contains(refused));
  EXPECT_THAT(remarks("{name: a, when: {model: auto, images: true}, among: [home/m]}"), Contains(refused));
  EXPECT_THAT(remarks("{name: a, when: {model: auto, input_tokens: {from: 9000}}, among: [home/m]}"),
              Contains(refused));
  EXPECT_THAT(remarks("{name: a, when: {model: auto, tools: true, input_tokens: {from: 9000}}, among: [home/m, "
                      "away/gpt-4o]}"),
              Not(Contains(refused)));
}

TEST(ReachRemarks, TargetsBelowEveryScoreOfTheirRouteAreNamed) {
  EXPECT_THAT(
      remarks("{name: a, when: {model: auto, tier: [COMPLEX, REASONING]}, among: [home/t, home/m, away/gpt-4o]}"),
      Contains(HasSubstr("route a goes to target home/t only where nothing better is left")));
  EXPECT_THAT(remarks("{name: a, when: {model: auto, complexity: {from: 0.7}}, among: [home/t, home/m]}"),
              Contains(HasSubstr("its capability 0.2 is below every score")));
  EXPECT_THAT(remarks("{name: a, when: {model: auto, complexity: {from: 0.7}}, among: [home/t, home/m]}"),
              Not(Contains(HasSubstr("home/m only"))));
  EXPECT_THAT(remarks("{name: a, when: {model: auto}, among: [home/t, home/m]}"),
              Not(Contains(HasSubstr("nothing better is left"))));
}

}  // namespace
}  // namespace tollgate
