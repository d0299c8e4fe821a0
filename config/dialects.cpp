#include "config/dialects.hpp"

#include <array>

namespace tollgate {
namespace {

// Addresses: the providers' own references of November 2026.
constexpr std::array table = {
    DialectFacts{DialectName::openai, "openai", WireForm::openai, "https://api.openai.com/v1", "", false},
    DialectFacts{DialectName::azure_openai, "azure-openai", WireForm::openai, "", "", false},
    DialectFacts{DialectName::anthropic, "anthropic", WireForm::anthropic, "https://api.anthropic.com", "", false},
    DialectFacts{DialectName::gemini, "gemini", WireForm::gemini, "https://generativelanguage.googleapis.com", "", false},
    DialectFacts{DialectName::vertex, "vertex", WireForm::gemini, "", "", false},
    DialectFacts{DialectName::bedrock, "bedrock", WireForm::bedrock, "", "", false},
    DialectFacts{DialectName::together, "together", WireForm::openai, "https://api.together.xyz/v1", "", false},
    DialectFacts{DialectName::fireworks, "fireworks", WireForm::openai, "https://api.fireworks.ai/inference/v1", "", false},
    DialectFacts{DialectName::groq, "groq", WireForm::openai, "https://api.groq.com/openai/v1", "", false},
    DialectFacts{DialectName::mistral, "mistral", WireForm::openai, "https://api.mistral.ai/v1", "", false},
    DialectFacts{DialectName::deepseek, "deepseek", WireForm::openai, "https://api.deepseek.com/v1", "", false},
    DialectFacts{DialectName::xai, "xai", WireForm::openai, "https://api.x.ai/v1", "", false},
    DialectFacts{DialectName::openrouter, "openrouter", WireForm::openai, "https://openrouter.ai/api/v1", "", false},
    DialectFacts{DialectName::vllm, "vllm", WireForm::openai, "", "/health", true},
    DialectFacts{DialectName::sglang, "sglang", WireForm::openai, "", "/health", true},
    DialectFacts{DialectName::tensorrt_llm, "tensorrt-llm", WireForm::openai, "", "/health", false},
    DialectFacts{DialectName::tgi, "tgi", WireForm::openai, "", "/health", false},
    DialectFacts{DialectName::llamacpp, "llamacpp", WireForm::openai, "", "/health", false},
    DialectFacts{DialectName::ollama, "ollama", WireForm::openai, "http://127.0.0.1:11434", "/api/version", false},
    DialectFacts{DialectName::replicate, "replicate", WireForm::job, "https://api.replicate.com/v1", "", false},
    DialectFacts{DialectName::runpod, "runpod", WireForm::job, "https://api.runpod.ai/v2", "", false},
    DialectFacts{DialectName::fal, "fal", WireForm::job, "https://queue.fal.run", "", false},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].dialect) != i) return false;
  }
  return table.size() == static_cast<std::size_t>(DialectName::fal) + 1;
}
static_assert(in_order(), "one row per DialectName, in the order of the enumeration");

}  // namespace

const DialectFacts& facts_of(DialectName dialect) noexcept { return table[static_cast<std::size_t>(dialect)]; }

std::span<const DialectFacts> all_dialects() noexcept { return table; }

}  // namespace tollgate
