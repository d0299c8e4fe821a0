#include <gmock/gmock.h>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> remarks(const std::string& yaml) { return remarks_on(*testing::loaded(yaml)); }

std::string two_backends(const std::string& sections) {
  return "version: 1\nbackends:\n"
         "  home: {dialect: vllm, url: \"http://gpu\", pool: {billing: dedicated, gpus: 1, usd_per_gpu_hour: 2}, "
         "models: {m: {}}}\n"
         "  away: {dialect: openai, api_key: k, models: {gpt-4o: {}}}\n" +
         sections;
}

TEST(Remarks, ACleanConfigHasNone) { EXPECT_THAT(remarks(two_backends("")), IsEmpty()); }

TEST(Remarks, TheDemoHasNoneButItsEmbeddingModel) {
  const auto config = load_file(TOLLGATE_SOURCE_DIR "/config/demo.yaml", testing::environment_of({}));
  EXPECT_THAT(remarks_on(*config.value()),
              ::testing::ElementsAre(HasSubstr("no route reaches target simulated-openai/text-embedding")));
}

TEST(Remarks, AnUnpricedTargetIsNamed) {
  EXPECT_THAT(remarks(testing::minimal), Contains(HasSubstr("target home/llama has no known price")));
  EXPECT_THAT(remarks(two_backends("")), Not(Contains(HasSubstr("no known price"))));
}

TEST(Remarks, ABaselineWithoutTokenPricesIsNamed) {
  EXPECT_THAT(remarks(two_backends("baselines: [{name: gpu, target: home/m}]\n")),
              Contains(HasSubstr("baseline gpu: target home/m has no token prices")));
}

TEST(Remarks, ARouteBehindOneWithoutConditionsIsNamed) {
  const auto found = remarks(two_backends("routes: [{name: a}, {name: b, when: {model: x}}]\n"));
  EXPECT_THAT(found, Contains(HasSubstr("route b never matches: route a before it has no conditions")));
  EXPECT_THAT(found, Contains(HasSubstr("route a has no conditions: it takes every model name")));
}

TEST(Remarks, ATargetThatNoRouteReachesIsNamed) {
  EXPECT_THAT(remarks(two_backends("routes: [{name: a, when: {model: auto}, among: home/m}]\n")),
              Contains(HasSubstr("no route reaches target away/gpt-4o")));
}

TEST(Remarks, WhatIsPassedThroughNeedsNoRoute) {
  EXPECT_THAT(remarks("version: 1\nbackends:\n  up: {dialect: openai, url: \"http://x\", models: {m: {prices: {input_usd_per_million_tokens: \"1\", output_usd_per_million_tokens: \"1\"}}, "
                      "files: {serves: files, prices: {usd_per_request: \"0\"}}}}\nroutes: [{name: a, when: {model: auto}, among: up/m}]\n"),
              Not(Contains(HasSubstr("no route reaches"))));
}

TEST(Remarks, AConstraintThatNothingSatisfiesIsNamed) {
  EXPECT_THAT(remarks(two_backends("constraints: [{name: c, require: {trust: internal}}]\n")),
              Contains(HasSubstr("no backend satisfies constraint c")));
}

TEST(Remarks, TwoConstraintsThatTogetherLeaveNothingAreNamed) {
  const auto with = [](const std::string& a, const std::string& b) {
    return remarks("version: 1\nbackends:\n"
                   "  home: {dialect: vllm, url: \"http://gpu\", trust: internal, labels: {region: us}, "
                   "pool: {billing: dedicated, gpus: 1, usd_per_gpu_hour: 2}, models: {m: {}}}\n"
                   "  away: {dialect: openai, api_key: k, labels: {region: eu}, models: {gpt-4o: {}}}\n"
                   "constraints: [{name: a, " + a + "}, {name: b, " + b + "}]\n");
  };
  EXPECT_THAT(with("require: {trust: internal}", "when: {pii: true}, require: {region: eu}"),
              ::testing::ElementsAre(HasSubstr("no backend satisfies both constraint a and constraint b")));
  EXPECT_THAT(with("require: {trust: internal}", "when: {pii: true}, require: {region: us}"), IsEmpty());
  EXPECT_THAT(with("when: {header: {x-region: us}}, require: {region: us}", "when: {header: {x-region: eu}}, require: {region: eu}"),
              IsEmpty());
}

TEST(Remarks, ARouteWithoutATargetForAConstraintIsNamed) {
  const auto with = [](const std::string& when) {
    return remarks("version: 1\nbackends:\n"
                   "  home: {dialect: vllm, url: \"http://gpu\", trust: internal, "
                   "pool: {billing: dedicated, gpus: 1, usd_per_gpu_hour: 2}, models: {m: {}}}\n"
                   "  away: {dialect: openai, api_key: k, models: {gpt-4o: {}}}\n"
                   "constraints: [{name: c, when: {" + when + "}, require: {trust: internal}}]\n"
                   "routes: [{name: one, when: {model: best, header: {x-class: open}}, among: away/*}, {name: two, when: {model: auto}}]\n");
  };
  EXPECT_THAT(with("pii: true"), ::testing::ElementsAre(HasSubstr("route one has no target that satisfies constraint c")));
  EXPECT_THAT(with("header: {x-class: phi}"), IsEmpty());
  EXPECT_THAT(with("model: auto"), IsEmpty());
}

TEST(Remarks, PromptsInTheOpenAreNamed) {
  EXPECT_THAT(remarks("version: 1\nbackends: {a: {dialect: openai, url: \"http://api.example.com\", api_key: k, "
                      "models: {m: {}}}}\n"),
              Contains(HasSubstr("prompts and its api_key travel unencrypted")));
}

TEST(Remarks, AProviderWithoutKeyIsNamed) {
  EXPECT_THAT(remarks("version: 1\nbackends: {a: {dialect: openai, models: {gpt-4o: {}}}}\n"),
              Contains(HasSubstr("backend a has no api_key")));
}

TEST(Remarks, AContextPastTheCataloguesPricesIsNamed) {
  EXPECT_THAT(
      remarks(
          "version: 1\nbackends: {a: {dialect: openai, api_key: k, url: \"https://api.anthropic.com/v1\", "
          "models: {claude-sonnet-4-0: {context_tokens: 1000000}}}}\n"),
      Contains(HasSubstr("hold up to 200000 input tokens")));
}

}  // namespace
}  // namespace tollgate
