// In the shapes that providers and engines refuse with, in words of this project.
#include "backends/upstream_error.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

std::string code_of(int status, const std::string& body) { return read_upstream_error(status, body).code; }

TEST(UpstreamError, ARequestThatIsTooLongIsKnownInEveryDialect) {
  for (const char* body : {
           R"({"error":{"message":"too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
           R"({"object":"error","message":"This model's maximum context length is 4096 tokens. However, you asked for 5000.","type":"BadRequestError","code":400})",
           R"({"error":{"message":"The input (5000 tokens) is longer than the model's context length (4096 tokens)."}})",
           R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}})",
           R"({"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}})",
           R"({"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}})",
           R"({"message":"Input is too long for requested model."})",
           R"({"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}})",
           R"({"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens","error_type":"validation"})",
       }) {
    const Error error = read_upstream_error(400, body);
    EXPECT_EQ(error.code, context_length_code) << body;
    EXPECT_EQ(error.fault, Fault::upstream_refused) << body;
    EXPECT_EQ(error.http_status, 400) << body;
  }
}

TEST(UpstreamError, WhatAContentFilterWillNotHaveIsKnown) {
  for (const char* body : {
           R"({"error":{"message":"The response was filtered due to the prompt triggering the content management policy.","type":null,"param":"prompt","code":"content_filter","status":400}})",
           R"({"error":{"message":"Your request was rejected as a result of our safety system.","code":"content_policy_violation"}})",
           R"({"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}})",
           R"({"error":{"message":"Content Exists Risk","code":"invalid_request_error"}})",
       }) {
    EXPECT_EQ(code_of(400, body), content_filter_code) << body;
  }
}

TEST(UpstreamError, OtherRefusalsAreNeither) {
  EXPECT_EQ(code_of(400, R"({"error":{"message":"max_tokens must be a number","code":"invalid_type"}})"), "invalid_type");
  EXPECT_EQ(code_of(500, R"({"error":{"message":"maximum context length"}})"), "") << "only a refusal of the request";
}

TEST(UpstreamError, AModelThatIsNotThereIsOursToMend) {
  const Error error = read_upstream_error(404, R"({"error":{"message":"The model does not exist","code":"model_not_found"}})");
  EXPECT_EQ(error.fault, Fault::upstream_refused);
  EXPECT_EQ(error.code, model_unknown_code);
  EXPECT_EQ(error.http_status, 502);
  EXPECT_NE(error.message.find("The model does not exist"), std::string::npos);
}

TEST(UpstreamError, ThrottlingIsBusyWhateverItsStatus) {
  for (const int status : {400, 429}) {
    const Error error = read_upstream_error(status, R"({"__type":"ThrottlingException","message":"Too many requests, please wait before trying again."})");
    EXPECT_EQ(error.fault, Fault::upstream_busy) << status;
    EXPECT_EQ(error.http_status, 429) << status;
  }
}

}  // namespace
}  // namespace tollgate
