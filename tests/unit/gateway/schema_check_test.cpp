#include "gateway/schema_check.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

using Json = nlohmann::json;

/// "" if the value is of the schema, else what is wrong.
std::string wrong(const char* schema, const char* value) {
  return schema_violation(Json::parse(schema), Json::parse(value)).value_or("");
}

TEST(SchemaCheck, TypesAreThoseOfJsonSchema) {
  EXPECT_EQ(wrong(R"({"type":"integer"})", "1.0"), "");
  EXPECT_EQ(wrong(R"({"type":"number"})", "1"), "");
  EXPECT_NE(wrong(R"({"type":"integer"})", "1.5"), "");
  EXPECT_NE(wrong(R"({"type":"integer"})", "1e300"), "");
  EXPECT_EQ(wrong(R"({"type":["string","null"]})", "null"), "");
  EXPECT_NE(wrong(R"({"type":["string","null"]})", "true"), "");
  EXPECT_EQ(wrong(R"({"type":"date"})", "7"), "") << "a type that is not known forbids nothing";
}

TEST(SchemaCheck, SaysWhere) {
  EXPECT_EQ(wrong(R"({"properties":{"a/b":{"items":{"type":"string"}}}})", R"({"a/b":["x",7]})"),
            "/a~1b/1: another type was expected than number");
  EXPECT_EQ(wrong(R"({"required":["a"]})", "{}"), "/: a required member is missing");
}

TEST(SchemaCheck, ObjectsAndTheirOthers) {
  EXPECT_NE(wrong(R"({"properties":{"a":{}},"additionalProperties":false})", R"({"a":1,"b":2})"), "");
  EXPECT_EQ(wrong(R"({"properties":{"a":{}},"additionalProperties":{"type":"integer"}})", R"({"a":"x","b":2})"), "");
  EXPECT_NE(wrong(R"({"additionalProperties":{"type":"integer"}})", R"({"b":"x"})"), "");
  EXPECT_EQ(wrong(R"({"patternProperties":{"^x":{}},"additionalProperties":false})", R"({"x1":1})"), "")
      << "it may be the pattern's";
}

TEST(SchemaCheck, ArraysStringsAndNumbersHaveBounds) {
  EXPECT_NE(wrong(R"({"minItems":2})", "[1]"), "");
  EXPECT_NE(wrong(R"({"maxItems":1})", "[1,2]"), "");
  EXPECT_EQ(wrong(R"({"prefixItems":[{"type":"string"}],"items":{"type":"integer"}})", R"(["a",1,2])"), "");
  EXPECT_NE(wrong(R"({"prefixItems":[{"type":"string"}],"items":{"type":"integer"}})", R"(["a","b"])"), "");
  EXPECT_EQ(wrong(R"({"maxLength":2})", "\"\\u00e4\\u00f6\""), "") << "characters, not bytes";
  EXPECT_NE(wrong(R"({"minLength":3})", "\"ab\""), "");
  EXPECT_NE(wrong(R"({"minimum":1})", "0"), "");
  EXPECT_EQ(wrong(R"({"minimum":1,"maximum":1})", "1"), "");
  EXPECT_NE(wrong(R"({"exclusiveMinimum":1})", "1"), "");
  EXPECT_NE(wrong(R"({"exclusiveMaximum":1})", "1"), "");
}

TEST(SchemaCheck, EnumConstAndCombinations) {
  EXPECT_EQ(wrong(R"({"enum":["a",1]})", "1"), "");
  EXPECT_NE(wrong(R"({"enum":["a",1]})", "2"), "");
  EXPECT_NE(wrong(R"({"const":{"a":1}})", R"({"a":2})"), "");
  EXPECT_EQ(wrong(R"({"anyOf":[{"type":"string"},{"type":"integer"}]})", "1"), "");
  EXPECT_NE(wrong(R"({"anyOf":[{"type":"string"},{"type":"null"}]})", "1"), "");
  EXPECT_NE(wrong(R"({"oneOf":[{"type":"number"},{"type":"integer"}]})", "1"), "");
  EXPECT_NE(wrong(R"({"allOf":[{"minimum":1},{"maximum":3}]})", "4"), "");
  EXPECT_NE(wrong(R"({"not":{"type":"string"}})", "\"a\""), "");
  EXPECT_NE(wrong("false", "1"), "");
  EXPECT_EQ(wrong("true", "1"), "");
}

TEST(SchemaCheck, ReferencesWithinTheSchemaAreFollowed) {
  const char* const tree =
      R"({"$defs":{"node":{"type":"object","required":["v"],"properties":{"v":{"type":"integer"},"kids":{"items":{"$ref":"#/$defs/node"}}}}},"$ref":"#/$defs/node"})";
  EXPECT_EQ(wrong(tree, R"({"v":1,"kids":[{"v":2,"kids":[]}]})"), "");
  EXPECT_EQ(wrong(tree, R"({"v":1,"kids":[{"v":"2"}]})"), "/kids/0/v: another type was expected than string");
  EXPECT_EQ(wrong(R"({"$ref":"https://example.com/s"})", "1"), "") << "another document is not fetched";
  EXPECT_EQ(wrong(R"({"$ref":"#/nowhere"})", "1"), "");
  EXPECT_EQ(wrong(R"({"$ref":"#no~pointer"})", "1"), "");
}

TEST(SchemaCheck, ASchemaWithoutEndForbidsNothingAndEnds) {
  EXPECT_EQ(wrong(R"({"$ref":"#"})", "1"), "");
  EXPECT_EQ(wrong(R"({"anyOf":[{"$ref":"#"},{"$ref":"#"}]})", "1"), "");
  EXPECT_EQ(wrong(R"({"not":{"$ref":"#"}})", "1").size() < 100, true);
}

}  // namespace
}  // namespace tollgate
