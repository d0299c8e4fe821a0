#pragma once
// A few words for tests of the loader.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.hpp"

namespace tollgate::testing {

inline Environment environment_of(std::map<std::string, std::string, std::less<>> variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

inline Result<ConfigPtr> load(std::string_view yaml, std::map<std::string, std::string, std::less<>> variables = {}) {
  return load_text(yaml, "test.yaml", environment_of(std::move(variables)));
}

/// The message of a load that must fail.
inline std::string error_of(std::string_view yaml, std::map<std::string, std::string, std::less<>> variables = {}) {
  const Result<ConfigPtr> config = load(yaml, std::move(variables));
  if (config) return "(it loaded)";
  return config.error().message;
}

/// A load that must succeed.
inline ConfigPtr loaded(std::string_view yaml, std::map<std::string, std::string, std::less<>> variables = {}) {
  Result<ConfigPtr> config = load(yaml, std::move(variables));
  if (!config) {
    ADD_FAILURE() << config.error().message;
    return std::make_shared<const Config>();
  }
  return config.value();
}

/// The least that is valid; tests append sections to it.
inline const std::string minimal =
    "version: 1\n"
    "backends:\n"
    "  home:\n"
    "    dialect: vllm\n"
    "    url: http://gpu-a:8000\n"
    "    models: {llama: {}}\n";

}  // namespace tollgate::testing
