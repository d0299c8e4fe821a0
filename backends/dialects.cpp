// The one instance of each dialect.
#include "config/dialects.hpp"

#include "backends/anthropic.hpp"
#include "backends/azure_openai.hpp"
#include "backends/bedrock.hpp"
#include "backends/gemini.hpp"
#include "backends/job_dialect.hpp"
#include "backends/openai.hpp"

namespace tollgate {

Result<std::string> Dialect::passed_path(Surface surface, std::string_view, const Backend& backend, const Target&) const {
  return fail(Fault::unsupported, "backend '" + std::string(text(backend.name)) + "' has no endpoint for " + std::string(name_of(surface)));
}

const Dialect& dialect_of(DialectName name) noexcept {
  static const OpenAiDialect managed(false), engine(true);
  static const AzureOpenAiDialect azure;
  static const AnthropicDialect anthropic;
  static const GeminiDialect gemini(false), vertex(true);
  static const BedrockDialect bedrock;
  static const JobDialect replicate(DialectName::replicate), runpod(DialectName::runpod), fal(DialectName::fal);
  switch (name) {
    case DialectName::azure_openai:
      return azure;
    case DialectName::anthropic:
      return anthropic;
    case DialectName::gemini:
      return gemini;
    case DialectName::vertex:
      return vertex;
    case DialectName::bedrock:
      return bedrock;
    case DialectName::replicate:
      return replicate;
    case DialectName::runpod:
      return runpod;
    case DialectName::fal:
      return fal;
    default:
      return facts_of(name).running_counts ? engine : managed;
  }
}

}  // namespace tollgate
