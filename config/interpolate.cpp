#include "config/interpolate.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace tollgate {
namespace {

constexpr int nesting_max = 8;  // defaults within defaults

bool may_be_in_name(char c, bool first) noexcept {
  const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  return letter || (!first && c >= '0' && c <= '9');
}

Result<std::string> expand(std::string_view text, const Environment& environment, int depth);

/// The index of the brace that closes the "${" before `from`; npos if there is none.
std::size_t closing_brace(std::string_view text, std::size_t from) noexcept {
  int open = 1;
  for (std::size_t at = from; at < text.size(); ++at) {
    if (text[at] == '$' && at + 1 < text.size() && (text[at + 1] == '{' || text[at + 1] == '$')) {
      open += text[at + 1] == '{' ? 1 : 0;
      ++at;
    } else if (text[at] == '}' && --open == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

/// `inside` is what stands between the braces.
Result<std::string> expand_variable(std::string_view inside, const Environment& environment, int depth) {
  std::size_t length = 0;
  while (length < inside.size() && may_be_in_name(inside[length], length == 0)) ++length;
  if (length == 0) {
    return fail(Fault::bad_config,
                "'${' must be followed by a variable's name, as in ${API_KEY}; for a plain dollar sign write '$$'");
  }
  const std::string_view name = inside.substr(0, length);
  const std::string_view rest = inside.substr(length);
  const bool has_default = rest.starts_with(":-");
  const bool has_message = rest.starts_with(":?");
  if (!rest.empty() && !has_default && !has_message) {
    return fail(Fault::bad_config,
                fmt::format("behind the variable {} only '}}', ':-default' or ':?message' may follow", name));
  }
  std::optional<std::string> value = environment(name);
  if (value && (rest.empty() || !value->empty())) return std::move(*value);
  if (has_default) return expand(rest.substr(2), environment, depth + 1);
  if (has_message)
    return fail(Fault::bad_config, fmt::format("the variable {} is not set or empty: {}", name, rest.substr(2)));
  return fail(Fault::bad_config,
              fmt::format("the variable {} is not set; set it, or give a default with ${{{}:-default}}", name, name));
}

Result<std::string> expand(std::string_view text, const Environment& environment, int depth) {
  if (depth > nesting_max)
    return fail(Fault::bad_config, fmt::format("defaults are nested more than {} deep", nesting_max));
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '$') {
      result += text[at];
      continue;
    }
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (next == '$') {
      result += '$';
      ++at;
      continue;
    }
    if (next != '{') {
      return fail(Fault::bad_config,
                  fmt::format("character {}: '$' must be followed by '{{', as in ${{API_KEY}}; for a plain dollar "
                              "sign write '$$'",
                              at + 1));
    }
    const std::size_t close = closing_brace(text, at + 2);
    if (close == std::string_view::npos) {
      return fail(Fault::bad_config, fmt::format("character {}: '${{' is never closed; add '}}'", at + 1));
    }
    TOLLGATE_TRY(const std::string value, expand_variable(text.substr(at + 2, close - at - 2), environment, depth));
    result += value;
    at = close;
  }
  return result;
}

}  // namespace

Result<std::string> interpolate(std::string_view text, const Environment& environment) {
  return expand(text, environment, 0);
}

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    // Read at start-up and on the control thread only; nothing in the process writes the environment.
    const char* const value = std::getenv(std::string(name).c_str());  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

}  // namespace tollgate
