#include "config/route_remarks.hpp"

#include <gmock/gmock.h>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> remarks(const std::string& sections) {
  return remarks_on(
      *testing::loaded("version: 1\nbackends:\n"
                       "  home: {dialect: vllm, url: \"http://gpu\", pool: {billing: dedicated, gpus: 1, "
                       "usd_per_gpu_hour: 2}, models: {m: {capability: 0.5}}}\n"
                       "  away: {dialect: openai, api_key: k, models: {gpt-4o: {concurrency_max: 9}}}\n" +
                       sections));
}
/// The conditions of two routes, one behind the other.
std::vector<std::string> two(const std::string& first, const std::string& second) {
  return remarks("routes: [{name: a, when: {" + first + "}}, {name: b, when: {" + second + "}}]\n");
}
const auto never = HasSubstr("route b never matches: route a before it takes everything it would");

TEST(RouteRemarks, ARouteBehindAWiderOneIsNamed) {
  for (const auto& [wide, narrow] : std::vector<std::pair<std::string, std::string>>{
           {"model: auto", "model: auto"},
           {"model: \"a*\"", "model: auto"},
           {"model: \"a*\"", "model: [auto, \"a*x\"], tools: true"},
           {"tools: true", "model: auto, tools: true, stream: false"},
           {"header: {x-a: [p, q]}", "header: {x-a: P, x-b: r}"},
           {"header: {x-a: \"*\"}", "header: {x-a: q}"},
           {"tier: [SIMPLE, MEDIUM]", "tier: SIMPLE"},
           {"complexity: {from: 0.2}", "complexity: {from: 0.3, below: 0.5}"},
           {"input_tokens: {below: 1000}", "input_tokens: {below: 500}"},
           {"user: \"bot-*\"", "user: bot-1"},
           {"metadata: {purpose: [eval, batch]}", "metadata: {purpose: eval}"},
           {"time: {from: \"08:00\"}", "time: {from: \"08:00\"}, tools: true"},
           {"load: {of: away/gpt-4o, from: 0.5}", "load: {of: away/gpt-4o, from: 0.5}, stream: true"}}) {
    EXPECT_THAT(two(wide, narrow), Contains(never)) << wide << " | " << narrow;
  }
}

TEST(RouteRemarks, ARouteThatMayStillMatchIsNot) {
  for (const auto& [first, second] : std::vector<std::pair<std::string, std::string>>{
           {"model: auto", "model: \"a*\""},
           {"model: \"a?\"", "model: \"a*\""},
           {"model: auto", "tools: true"},
           {"tools: true", "tools: false"},
           {"header: {x-a: p}", "header: {x-a: [p, q]}"},
           {"header: {x-a: p}", "header: {x-a: \"*\"}"},
           {"tier: SIMPLE", "tier: [SIMPLE, MEDIUM]"},
           {"complexity: {from: 0.2, below: 0.4}", "complexity: {from: 0.3}"},
           {"input_tokens: {below: 500}", "input_tokens: {below: 1000}"},
           {"user: bot-1", "user: \"bot-*\""},
           {"time: {from: \"08:00\"}", "time: {from: \"09:00\", to: \"10:00\"}"},
           {"load: {of: away/gpt-4o, from: 0.5}", "load: {of: away/gpt-4o, from: 0.9}"}}) {
    EXPECT_THAT(two(first, second), Not(Contains(HasSubstr("never matches")))) << first << " | " << second;
  }
}

TEST(RouteRemarks, ABandThatNoTierReachesIsNamed) {
  EXPECT_THAT(remarks("routes: [{name: r, when: {tier: SIMPLE, complexity: {from: 0.8}}}]\n"),
              Contains(HasSubstr("route r never matches: no score is in both tier and complexity")));
  EXPECT_THAT(remarks("routes: [{name: r, when: {model: auto, tier: REASONING, complexity: {from: 0.8}}}]\n"),
              Not(Contains(HasSubstr("never matches"))));
  EXPECT_THAT(
      remarks(
          "constraints: [{name: c, when: {tier: REASONING, complexity: {below: 0.5}}, require: {trust: internal}}]\n"),
      Contains(HasSubstr("constraint c never applies")));
}

TEST(RouteRemarks, TargetsBelowTheRoutesCapabilityAreNamed) {
  EXPECT_THAT(
      remarks("routes: [{name: r, when: {model: auto}, min_capability: 0.7}]\n"),
      Contains(HasSubstr("route r never goes to target home/m: its capability 0.5 is below min_capability 0.7")));
}

TEST(RouteRemarks, ALoadThatIsNeverKnownIsNamed) {
  EXPECT_THAT(remarks("routes: [{name: r, when: {model: auto, load: {of: away/gpt-4o, from: 0.5}}}]\n"),
              Not(Contains(HasSubstr("is never known"))));
}

TEST(RouteRemarks, StickinessThatDoesNothingIsNamed) {
  EXPECT_THAT(remarks("sticky: {ttl_seconds: 0}\nroutes: [{name: r, when: {model: auto}, sticky: true}]\n"),
              Contains(HasSubstr("no conversation is remembered")));
  EXPECT_THAT(remarks("routes: [{name: r, when: {model: auto}, among: home/m, sticky: true}]\n"),
              Contains(HasSubstr("has only one target")));
}

}  // namespace
}  // namespace tollgate
