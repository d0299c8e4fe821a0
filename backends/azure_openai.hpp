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
  /// Variations of pictures and moderations are not Azure's.
  Result<std::string> passed_path(Surface surface, std::string_view path, const Backend& backend, const Target& target) const override {
    if (surface == Surface::moderations || path.starts_with("/v1/images/variations")) return fail(Fault::unsupported, "Azure OpenAI has no " + std::string(path.substr(0, path.find('?'))));
    if (backend.api_version.empty()) return "/openai" + std::string(path);
    const std::string version = (path.find('?') == std::string_view::npos ? "?api-version=" : "&api-version=") + backend.api_version;
    const std::string of = names_model(surface) ? "/deployments/" + percent_encoded(target.upstream) : std::string();
    return "/openai" + of + std::string(path.substr(3)) + version;
  }
};

}  // namespace tollgate
