#include "config/interpolate.hpp"

#include <gtest/gtest.h>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

const Environment environment =
    testing::environment_of({{"HOST", "gpu-a"}, {"EMPTY", ""}, {"KEY", "sk-very-secret"}, {"EVIL", "x\nadmin: {}"}});

std::string filled(std::string_view text) { return interpolate(text, environment).value(); }
std::string error_of(std::string_view text) {
  const Result<std::string> result = interpolate(text, environment);
  return result ? "(it was accepted)" : result.error().message;
}

TEST(Interpolate, VariablesAreReplaced) {
  EXPECT_EQ(filled("http://${HOST}:8000"), "http://gpu-a:8000");
  EXPECT_EQ(filled("${HOST}${HOST}"), "gpu-agpu-a");
  EXPECT_EQ(filled("no variable"), "no variable");
  EXPECT_EQ(filled("${EMPTY}"), "");
}

TEST(Interpolate, DefaultsStandInForWhatIsUnsetOrEmpty) {
  EXPECT_EQ(filled("${PORT:-8080}"), "8080");
  EXPECT_EQ(filled("${EMPTY:-x}"), "x");
  EXPECT_EQ(filled("${HOST:-x}"), "gpu-a");
  EXPECT_EQ(filled("${NONE:-}"), "");
  EXPECT_EQ(filled("${NONE:-${ALSO_NONE:-${HOST}}}!"), "gpu-a!");
}

TEST(Interpolate, TwoDollarSignsAreOne) {
  EXPECT_EQ(filled("$$5"), "$5");
  EXPECT_EQ(filled("$${HOST}"), "${HOST}");
}

TEST(Interpolate, AnUnsetVariableIsNamed) {
  EXPECT_EQ(error_of("${NONE}"), "the variable NONE is not set; set it, or give a default with ${NONE:-default}");
  EXPECT_EQ(error_of("${EMPTY:?give a name}"), "the variable EMPTY is not set or empty: give a name");
}

TEST(Interpolate, AForgottenBraceIsAnError) {
  EXPECT_NE(error_of("$HOST").find("character 1: '$' must be followed by '{'"), std::string::npos);
  EXPECT_NE(error_of("ab${HOST").find("character 3: '${' is never closed"), std::string::npos);
  EXPECT_NE(error_of("cost: 5$").find("'$$'"), std::string::npos);
  EXPECT_NE(error_of("${}").find("must be followed by a variable's name"), std::string::npos);
  EXPECT_NE(error_of("${1A}").find("must be followed by a variable's name"), std::string::npos);
  EXPECT_NE(error_of("${HOST-x}").find("behind the variable HOST"), std::string::npos);
}

TEST(Interpolate, NoMessageHoldsAValue) {
  for (const std::string_view text : {"${KEY}$", "${KEY}${NONE}", "${KEY+x}", "${KEY}${", "${NONE:?${KEY}}"}) {
    EXPECT_EQ(error_of(text).find("very-secret"), std::string::npos) << text;
  }
}

TEST(Interpolate, EndlessNestingIsRefused) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "${NONE:-";
  text += std::string(1000, '}');
  EXPECT_EQ(error_of(text), "defaults are nested more than 8 deep");
}

TEST(Interpolate, AVariableCannotAddKeys) {
  const std::string yaml = testing::minimal + "log: {level: \"${EVIL}\"}\n";
  const std::string keys = testing::error_of(yaml, {{"EVIL", "info, access: false"}});
  EXPECT_EQ(keys.find("test.yaml:7:14: log.level: '${EVIL}' is not one of the choices"), 0U) << keys;
  const std::string lines = testing::error_of(yaml, {{"EVIL", "info\nadmin: {}"}});
  EXPECT_EQ(lines.find("test.yaml:7:14: log.level: holds a line break"), 0U) << lines;
}

}  // namespace
}  // namespace tollgate
