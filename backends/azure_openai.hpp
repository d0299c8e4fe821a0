#pragma once
// Azure OpenAI: OpenAI's bodies under Azure's paths. With `api_version` the dated API, whose path names the deployment (the target's
// `upstream`); without it the v1 API, where the model is the deployment. Keys go as `api-key`, Entra tokens as a bearer (parse_endpoint).

#include "backends/openai.hpp"
#include "backends/percent.hpp"

namespace tollgate {

class AzureOpenAiDialect final : public OpenAiDialect {
 public:
  AzureOpenAiDialect() : OpenAiDialect(false) {}
  Result<void> write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const override {
    TOLLGATE_TRY(OpenAiDialect::write(client, backend, target, out));
    const std::string_view path = OpenAiDialect::path(client.surface);
    if (backend.api_version.empty()) {
      out.path = "/openai" + std::string(path);
    } else {
      out.path = "/openai/deployments/" + percent_encoded(target.upstream) + std::string(path.substr(3)) + "?api-version=" + backend.api_version;
    }
    return success();
  }
};

}  // namespace tollgate
