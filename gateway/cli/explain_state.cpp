#include "gateway/cli/explain_state.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "config/spelling.hpp"
#include "router/serverless.hpp"

namespace tollgate::cli {
namespace {

constexpr std::string_view grammar =
    "'TARGET: WORD, …' with in_flight=N, waiting=N, running=N (the engine's), kv_cache=SHARE, first_token_ms=N, "
    "token_ms=N, "
    "answer_ms=N, cached=N (input tokens of this conversation's last turn), limited_ms=N, tokens_left=N (of the provider's rate limit), "
    "workers=N (of a serverless pool, those that are up), was_saturated, draining, ejected or down; of a serverless pool on a route with autopilot: open or closed";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr double most = 1e9;
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0 && value <= most)) return std::nullopt;
  return value;
}

std::chrono::microseconds millis(double value) {
  return std::chrono::microseconds{static_cast<std::int64_t>(value * 1000 + 0.5)};
}

/// False: there is no such word, or its number is none.
bool take_word(std::string_view word, TargetState& state, WorkersNow& workers) {
  if (word == "down") {
    state.availability = Availability::unreachable;
    return true;
  }
  if (word == "draining" || word == "ejected") {
    state.availability = word == "draining" ? Availability::draining : Availability::ejected;
    return true;
  }
  if (word == "open" || word == "closed") {
    PoolStance& stance = state.stance.emplace();
    if (word == "open") stance.workers = stance.places = UINT32_MAX;
    stance.warm = true;
    return true;
  }
  if (word == "was_saturated") {
    state.was_saturated = true;
    return true;
  }
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = trimmed(word.substr(0, equals));
  const std::optional<double> value = number_of(trimmed(word.substr(equals + 1)));
  if (!value) return false;
  if (name == "kv_cache") {
    state.kv_cache_usage = static_cast<float>(*value);
    return *value <= 1;
  }
  if (name == "first_token_ms")
    state.first_token_mean = millis(*value);
  else if (name == "token_ms")
    state.output_token_mean = millis(*value);
  else if (name == "limited_ms")
    state.limited_for = millis(*value);
  else if (name == "answer_ms")
    state.duration_mean = millis(*value);
  else if (*value != std::floor(*value))
    return false;
  else if (name == "in_flight")
    state.in_flight = static_cast<std::uint32_t>(*value);
  else if (name == "tokens_left")
    state.tokens_left = static_cast<std::int64_t>(*value);
  else if (name == "waiting")
    state.engine_waiting = static_cast<std::int32_t>(*value);
  else if (name == "workers")
    workers.up = static_cast<std::int64_t>(*value);
  else if (name == "running")
    state.engine_running = static_cast<std::int32_t>(*value);
  else
    return false;
  return true;
}

/// What is said of one target stands for its pool.
void note(const Config& config, const Target& target, WorkersNow workers, TargetState& state) {
  workers.in_flight = state.in_flight;
  if (const std::optional<Pool>& pool = config.backend_of(target).pool) note_workers(*pool, workers, state);
}

Result<void> take_line(std::string_view line, const Config& config, AssumedState& assumed) {
  // Names of models may hold a colon: the blank behind it ends the target's name.
  const std::size_t colon = line.find(": ");
  const std::string target(trimmed(line.substr(0, colon)));
  if (colon == std::string_view::npos)
    return fail(Fault::bad_request, "--state takes " + std::string(grammar) + ", not '" + std::string(line) + "'");
  const Target* const found = config.find_target(target);
  if (found == nullptr) {
    std::vector<std::string> known;
    for (const Target& each : config.targets) known.emplace_back(text(each.id));
    return fail(Fault::bad_request, "--state: there is no target '" + target + "'" + suggestion_for(target, known));
  }
  WorkersNow workers;
  TargetState& state = assumed.targets[static_cast<std::size_t>(found - config.targets.data())];
  for (std::string_view rest = line.substr(colon + 2); !trimmed(rest).empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view word = trimmed(rest.substr(0, comma));
    constexpr std::string_view cached = "cached=";
    const std::optional<double> tokens =
        word.starts_with(cached) ? number_of(word.substr(cached.size())) : std::nullopt;
    if (tokens) {
      assumed.conversation = {found->id, TokenCount{static_cast<std::int64_t>(*tokens)}};
    } else if (!take_word(word, state, workers)) {
      return fail(Fault::bad_request,
                  "--state: '" + std::string(word) + "' is not understood; it takes " + std::string(grammar));
    }
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  note(config, *found, workers, state);
  return success();
}

}  // namespace

Result<AssumedState> read_states(const std::vector<std::string>& lines, const Config& config) {
  AssumedState assumed;
  assumed.targets.resize(config.targets.size());
  for (const Target& target : config.targets) note(config, target, {}, assumed.targets[static_cast<std::size_t>(&target - config.targets.data())]);
  for (const std::string& line : lines) {
    TOLLGATE_TRY(take_line(line, config, assumed));
  }
  return assumed;
}

}  // namespace tollgate::cli
