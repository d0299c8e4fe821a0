#include "backends/usage_scanner.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace tollgate {

namespace sj = simdjson::ondemand;

namespace {

constexpr std::string_view key = "\"usage\":";
constexpr std::string_view blanks = " \t\r\n";
constexpr std::int64_t count_max = 1'000'000'000;   // past any real answer; sums and prices of such counts stay exact

sj::parser& parser() {
  thread_local sj::parser kept;   // its buffers are worth keeping; one per thread because it is not shared
  return kept;
}

// A count: absent and null are 0, anything but a whole number from 0 on is not usable.
bool read_count(simdjson::simdjson_result<sj::value> member, std::int64_t& out, bool& present) {
  sj::value value;
  out = 0;
  present = false;
  if (member.get(value)) return true;
  bool null = false;
  if (!value.is_null().get(null) && null) return true;
  present = true;
  return !value.get_int64().get(out) && out >= 0 && out <= count_max;
}

bool read_count(simdjson::simdjson_result<sj::value> member, std::int64_t& out) {
  bool present = false;
  return read_count(std::move(member), out, present);
}

// The details object; absent and null are nothing to read. False: it is something else.
bool open_details(sj::object& usage, std::string_view name, std::optional<sj::object>& details) {
  details.reset();
  sj::value value;
  if (usage.find_field_unordered(name).get(value)) return true;
  bool null = false;
  if (!value.is_null().get(null) && null) return true;
  sj::object object;
  if (value.get_object().get(object)) return false;
  details = object;
  return true;
}

// The end of the value that begins at `at`: null, or an object of numbers and objects.
std::size_t plain_end(std::string_view text, std::size_t at) {
  if (text.substr(at, 4) == "null") return at + 4;
  int depth = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\' ? 1U : 0U;
    } else if (text[at] == '{' || text[at] == '[') {
      ++depth;
    } else if ((text[at] == '}' || text[at] == ']') && --depth == 0) {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

std::size_t comma_before(std::string_view text, std::size_t at) {
  std::size_t back = at;
  while (back > 0 && blanks.find(text[back - 1]) != std::string_view::npos) --back;
  return back > 0 && text[back - 1] == ',' ? back - 1 : at;
}

// One neighbouring comma goes with the member: the one before it, or behind it if it is the first.
void set_cut(std::string_view json, std::size_t key_at, UsageMember& member) {
  member.begin = comma_before(json, key_at);
  member.cut_end = member.end;
  if (member.begin != key_at) return;
  const std::size_t next = json.find_first_not_of(blanks, member.end);
  if (next != std::string_view::npos && json[next] == ',') member.cut_end = next + 1;
}

std::optional<UsageMember> member_at(std::string_view json, std::size_t key_at) {
  UsageMember member;
  member.value = json.find_first_not_of(blanks, key_at + key.size());
  if (member.value == std::string_view::npos) return std::nullopt;
  member.is_object = json[member.value] == '{';
  if (!member.is_object && json[member.value] != 'n') return std::nullopt;
  member.end = plain_end(json, member.value);
  if (member.end == std::string_view::npos || member.end > json.size()) return std::nullopt;
  set_cut(json, key_at, member);
  return member;
}

// Some nested object has a usage too, or it does not stand last: count the levels.
std::optional<UsageMember> find_with_care(std::string_view json) {
  int depth = 0;
  for (std::size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (c == '"') {
      if (depth == 1 && json.substr(at, key.size() - 1) == key.substr(0, key.size() - 1)) {
        const std::size_t colon = json.find_first_not_of(blanks, at + key.size() - 1);
        if (colon != std::string_view::npos && json[colon] == ':') {
          auto found = member_at(json, colon + 1 - key.size());
          if (found) set_cut(json, at, *found);
          return found;
        }
      }
      for (++at; at < json.size() && json[at] != '"'; ++at) at += json[at] == '\\' ? 1U : 0U;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return std::nullopt;
}

}  // namespace

namespace {

/// The counts of one side as they stand: each of which is part of `whole`, and parts may overlap.
struct Told {
  std::int64_t whole = 0, cached = 0, written = 0, audio = 0, image = 0, cached_audio = 0, cached_image = 0, reasoning = 0;
  bool present = false, split_told = false;
};

bool read_input(sj::object& usage, Told& told) {
  std::optional<sj::object> details, cached;
  if (!read_count(usage.find_field_unordered("prompt_tokens"), told.whole, told.present)) return false;
  if (!open_details(usage, "prompt_tokens_details", details)) return false;
  if (!details) return true;
  if (!read_count(details->find_field_unordered("cached_tokens"), told.cached)) return false;
  if (!read_count(details->find_field_unordered("cache_write_tokens"), told.written)) return false;
  if (!read_count(details->find_field_unordered("audio_tokens"), told.audio)) return false;
  if (!read_count(details->find_field_unordered("image_tokens"), told.image)) return false;
  if (!open_details(*details, "cached_tokens_details", cached)) return false;
  if (!cached) return true;
  told.split_told = true;
  return read_count(cached->find_field_unordered("audio_tokens"), told.cached_audio) &&
         read_count(cached->find_field_unordered("image_tokens"), told.cached_image);
}

bool read_output(sj::object& usage, Told& told) {
  std::optional<sj::object> details;
  if (!read_count(usage.find_field_unordered("completion_tokens"), told.whole, told.present)) return false;
  if (!open_details(usage, "completion_tokens_details", details)) return false;
  if (!details) return true;
  return read_count(details->find_field_unordered("reasoning_tokens"), told.reasoning) &&
         read_count(details->find_field_unordered("audio_tokens"), told.audio) &&
         read_count(details->find_field_unordered("image_tokens"), told.image);
}

// Searches that the provider made for the answer: Perplexity's count, and the one of OpenRouter and Anthropic.
bool read_searches(sj::object& usage, std::int64_t& searches) {
  std::optional<sj::object> tools;
  std::int64_t of_tools = 0;
  if (!read_count(usage.find_field_unordered("num_search_queries"), searches)) return false;
  if (!open_details(usage, "server_tool_use", tools)) return false;
  if (tools && !read_count(tools->find_field_unordered("web_search_requests"), of_tools)) return false;
  searches = std::max(searches, of_tools);
  return true;
}

void put(Usage& usage, RareClass rare, std::int64_t tokens) {
  usage.rare[static_cast<std::size_t>(rare)] = static_cast<std::int32_t>(tokens);
}

// Disjoint classes out of overlapping counts. False: they contradict each other.
bool split_input(Told told, Usage& usage) {
  const std::int64_t unwritten = told.whole - told.written, other = told.audio + told.image;
  if (unwritten < 0 || told.cached > unwritten || other > unwritten) return false;
  usage.unclear = told.cached > 0 && other > 0 && !told.split_told;
  if (usage.unclear) {
    const std::int64_t not_text = std::max<std::int64_t>(told.cached - (unwritten - other), 0);
    told.cached_audio = std::min(not_text, told.audio);
    told.cached_image = not_text - told.cached_audio;
  }
  const std::int64_t cached_text = told.cached - told.cached_audio - told.cached_image;
  const std::int64_t text = unwritten - other - cached_text;
  if (told.cached_audio > told.audio || told.cached_image > told.image || cached_text < 0 || text < 0) return false;
  usage.input = TokenCount{text};
  usage.cached_input = TokenCount{cached_text};
  usage.cache_write = TokenCount{told.written};
  put(usage, RareClass::input_audio, told.audio - told.cached_audio);
  put(usage, RareClass::cached_input_audio, told.cached_audio);
  put(usage, RareClass::input_image, told.image - told.cached_image);
  put(usage, RareClass::cached_input_image, told.cached_image);
  return true;
}

// xAI and Google's OpenAI-like endpoint leave reasoning out of completion_tokens, but not out of total_tokens.
bool split_output(Told told, std::int64_t prompt, std::int64_t total, Usage& usage) {
  const std::int64_t left_out = total - prompt - told.whole;
  if (left_out > 0) {
    told.whole += left_out;
    told.reasoning = std::max(told.reasoning, left_out);
  }
  const std::int64_t text = told.whole - told.audio - told.image;
  if (text < 0 || told.reasoning > text) return false;
  usage.output = TokenCount{text};
  usage.reasoning = TokenCount{told.reasoning};
  put(usage, RareClass::output_audio, told.audio);
  put(usage, RareClass::output_image, told.image);
  return true;
}

}  // namespace

std::optional<Usage> parse_usage(std::string_view object, bool output_expected) {
  const simdjson::padded_string padded(object);
  sj::document document;
  sj::object usage;
  if (parser().iterate(padded).get(document) || document.get_object().get(usage)) return std::nullopt;
  Told input, output;
  std::int64_t total = 0, searches = 0;
  if (!read_input(usage, input) || !read_output(usage, output) || !read_searches(usage, searches)) return std::nullopt;
  if (!read_count(usage.find_field_unordered("total_tokens"), total)) return std::nullopt;
  if (!input.present || (output_expected && !output.present)) return std::nullopt;
  Usage read;
  if (!split_input(input, read) || !split_output(output, input.whole, total, read)) return std::nullopt;
  read.web_searches = static_cast<std::int32_t>(searches);
  return read;
}

std::optional<UsageMember> find_usage(std::string_view json) {
  const void* const found = ::memmem(json.data(), json.size(), key.data(), key.size());
  if (found == nullptr) {
    // `"usage" :` with a blank is legal and rare.
    if (::memmem(json.data(), json.size(), key.data(), key.size() - 1) == nullptr) return std::nullopt;
    return find_with_care(json);
  }
  const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - json.data());
  if (const auto member = member_at(json, at)) {
    const std::size_t close = json.find_first_not_of(blanks, member->end);
    if (close != std::string_view::npos && json[close] == '}' && json.find_first_not_of(blanks, close + 1) == std::string_view::npos) return member;
  }
  return find_with_care(json);
}

std::size_t value_of_key(std::string_view json, std::string_view quoted_key) noexcept {
  for (std::size_t from = 0; from < json.size();) {
    const void* const found = ::memmem(json.data() + from, json.size() - from, quoted_key.data(), quoted_key.size());
    if (found == nullptr) return std::string_view::npos;
    const std::size_t behind = static_cast<std::size_t>(static_cast<const char*>(found) - json.data()) + quoted_key.size();
    const std::size_t colon = json.find_first_not_of(blanks, behind);
    if (colon != std::string_view::npos && json[colon] == ':') return json.find_first_not_of(blanks, colon + 1);
    from = behind;                          // a string value with that text
  }
  return std::string_view::npos;
}

void RunningUsage::running(std::string_view object, std::string_view chunk) {
  if (final_ || object.size() > object_bytes_max) return;
  std::size_t index = 0;
  if (per_choice_) {
    std::size_t digit = value_of_key(chunk, "\"index\"");
    for (; digit < chunk.size() && chunk[digit] >= '0' && chunk[digit] <= '9' && index < choices_max; ++digit) {
      index = index * 10 + static_cast<std::size_t>(chunk[digit] - '0');
    }
  }
  if (index == 0) {
    last_.assign(object);
    return;
  }
  too_many_ = too_many_ || index >= choices_max;
  if (too_many_) return;
  if (by_choice_.size() < index) by_choice_.resize(index);
  by_choice_[index - 1].assign(object);
}

void RunningUsage::final(std::string_view object) {
  if (object.size() > object_bytes_max) return;
  last_.assign(object);
  final_ = true;
}

namespace {
void add_rare(const Usage& from, std::size_t first, std::size_t end, Usage& sum) {
  for (; first < end; ++first) sum.rare[first] += from.rare[first];
}
}  // namespace

std::pair<Usage, UsageSource> RunningUsage::usage() const {
  constexpr std::pair<Usage, UsageSource> unknown{Usage{}, UsageSource::none};
  if (final_ || by_choice_.empty()) {
    if (last_.empty() || (too_many_ && !final_)) return unknown;
    const auto usage = parse_usage(last_, true);
    if (!usage) return unknown;
    return {*usage, final_ ? UsageSource::exact : UsageSource::continuous};
  }
  if (too_many_) return unknown;
  Usage sum;
  const auto per_prompt = static_cast<std::size_t>(choices_ > 0 ? choices_ : 1);
  std::size_t next_prompt = 0;              // prompts below it are counted
  for (std::size_t index = 0; index <= by_choice_.size(); ++index) {
    const std::string& object = index == 0 ? last_ : by_choice_[index - 1];
    if (object.empty()) continue;
    const auto usage = parse_usage(object, true);
    if (!usage) return unknown;
    sum.output += usage->output;
    sum.reasoning += usage->reasoning;
    add_rare(*usage, first_rare_output, rare_class_count, sum);
    const std::size_t prompt = index / per_prompt;
    if (prompt < next_prompt) continue;
    next_prompt = prompt + 1;
    sum.input += usage->input;
    sum.cached_input += usage->cached_input;
    sum.cache_write += usage->cache_write;
    add_rare(*usage, 0, first_rare_output, sum);
    sum.unclear = sum.unclear || usage->unclear;
    sum.web_searches = std::max(sum.web_searches, usage->web_searches);
  }
  return {sum, UsageSource::continuous};
}

std::size_t RunningUsage::memory_bytes() const noexcept {
  std::size_t bytes = last_.capacity() + by_choice_.capacity() * sizeof(std::string);
  for (const std::string& object : by_choice_) bytes += object.capacity();
  return bytes;
}

}  // namespace tollgate
