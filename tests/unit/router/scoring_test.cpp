#include "router/scoring.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "requests.hpp"
#include "router/complexity.hpp"

namespace tollgate {
namespace {

class OwnModel : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string made = (std::filesystem::temp_directory_path() / "tollgate-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    folder_ = made;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name, std::string_view text) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  /// Says the same of every request.
  static std::string model_saying(float sum) {
    Tree tree;
    tree.threshold.fill(std::numeric_limits<float>::infinity());
    tree.value.fill(sum);
    Heads heads;
    for (Head& head : heads) head.trees = {tree};
    return Model(heads, {}).text();
  }
  static Config config_of(const std::string& path) {
    Config config;
    config.source = "gw.yaml";
    config.complexity.model = path;
    config.complexity.model_line = 7;
    config.complexity.model_column = 21;
    return config;
  }
  std::filesystem::path folder_;
};

TEST_F(OwnModel, IsTheBuiltInOneWhereNoneIsNamed) {
  const Result<Scoring> scoring = scoring_of(Config{});
  ASSERT_TRUE(scoring);
  EXPECT_EQ(scoring.value().model.get(), &base_model());
  EXPECT_NE(base_model().id(), 0U);
}

TEST_F(OwnModel, JudgesInsteadOfTheBuiltInOneAndItsIdStandsInTheFeatures) {
  const Config config = config_of(file("m.json", model_saying(5)));
  const Result<Scoring> scoring = scoring_of(config);
  ASSERT_TRUE(scoring) << scoring.error().message;
  testing::Request request;
  request.user("hello");
  const Classified seen = classify(request.chat(), TierBounds{}, scoring.value());
  EXPECT_EQ(seen.complexity.tier, Tier::reasoning);
  EXPECT_EQ(classify(request.chat(), TierBounds{}, Scoring{}).complexity.tier, Tier::simple);
  EXPECT_NE(scoring.value().model->id(), base_model().id());
  EXPECT_EQ(base_model_of(seen.features), scoring.value().model->id());
  EXPECT_NE(model_text(config, *scoring.value().model).find("m.json ("), std::string::npos);
}

TEST_F(OwnModel, ThatCannotBeUsedIsAnErrorWithPlaceReasonAndRemedy) {
  const std::string other_terms = R"({"tollgate_complexity_model":3,"terms":["x"],"heads":[]})";
  const std::vector<std::pair<std::string, const char*>> broken{
      {(folder_ / "absent.json").string(), "cannot be opened"},
      {folder_.string(), "cannot be read"},
      {file("text.json", "hello"), "is not a complexity model"},
      {file("terms.json", other_terms), "other terms than this program's"},
      {file("huge.json", std::string(complexity_model_bytes_max + 1, ' ')), "larger than"}};
  for (const auto& [path, why] : broken) {
    const Result<Scoring> scoring = scoring_of(config_of(path));
    ASSERT_FALSE(scoring) << path;
    EXPECT_EQ(scoring.error().fault, Fault::bad_config);
    const std::string& message = scoring.error().message;
    EXPECT_TRUE(message.starts_with("gw.yaml:7:21: complexity.model: " + path)) << message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
    EXPECT_NE(message.find("without complexity.model the model in the program is used"), std::string::npos) << message;
  }
}

TEST_F(OwnModel, TakesNoCorrectionThatWasFittedToAnother) {
  const std::string path = file("m.json", model_saying(0));
  const std::uint32_t own = load_model(path).value()->id();
  Config config = config_of(path);
  config.complexity.correction = file("fitted.json", correction_text({}, {own}));
  ASSERT_TRUE(scoring_of(config));
  EXPECT_NE(scoring_of(config).value().correction, nullptr);
  config.complexity.correction = file("foreign.json", correction_text({}, {base_model().id()}));
  ASSERT_FALSE(scoring_of(config));
  EXPECT_NE(scoring_of(config).error().message.find("another base model"), std::string::npos);
}

}  // namespace
}  // namespace tollgate
