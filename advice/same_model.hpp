#pragma once
// Which entries of a price book are the same open model under the names of different hosts: "llama-3.3-70b" is
// "meta-llama/Llama-3.3-70B-Instruct-Turbo" here, "accounts/fireworks/models/llama-v3p3-70b-instruct" there and
// "llama-3.3-70b-versatile" elsewhere.

#include <string>
#include <string_view>
#include <vector>

#include "config/prices/book.hpp"

namespace tollgate::advice {

/// The words that tell models apart: family, version, size, and what changes a model's weights ("distill", "vision", "coder").
/// Owners, paths, and words for how it is served ("instruct", "turbo", "fp8", dates) are left out. Sorted.
[[nodiscard]] std::vector<std::string> model_words(std::string_view name);
[[nodiscard]] bool is_same_model(std::string_view a, std::string_view b);
/// Billions of parameters that the name tells ("70b"), of all experts; 0: it does not.
[[nodiscard]] double billions_of(std::string_view name);

struct Host {
  std::string provider, model;
  UsdPerToken input, output;
};
/// Every provider of the book that sells the model by the token, at its prices of the moment.
[[nodiscard]] std::vector<Host> hosts_of(const prices::PriceBook& book, std::string_view model, std::chrono::sys_seconds at);

}  // namespace tollgate::advice
