#include "gateway/passed.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/stored_objects.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::json;
using Does = PassedPlace::Does;

/// `{}` stands for an id.
struct Known {
  std::string_view path, method;
  PassedPlace place;
};
constexpr PassedPlace place(Surface surface, Does does, bool form = false, bool content = false) { return {surface, does, {}, content, form}; }
constexpr std::array known{
    Known{"/v1/images/generations", "POST", place(Surface::images, Does::work)},
    Known{"/v1/images/edits", "POST", place(Surface::images, Does::work, true)},
    Known{"/v1/images/variations", "POST", place(Surface::images, Does::work, true)},
    Known{"/v1/audio/speech", "POST", place(Surface::speech, Does::work)},
    Known{"/v1/audio/transcriptions", "POST", place(Surface::transcriptions, Does::work, true)},
    Known{"/v1/audio/translations", "POST", place(Surface::transcriptions, Does::work, true)},
    Known{"/v1/moderations", "POST", place(Surface::moderations, Does::work)},
    Known{"/v1/files", "GET", place(Surface::files, Does::list)},
    Known{"/v1/files", "POST", place(Surface::files, Does::make, true)},
    Known{"/v1/files/{}", "GET", place(Surface::files, Does::look)},
    Known{"/v1/files/{}", "DELETE", place(Surface::files, Does::change)},
    Known{"/v1/files/{}/content", "GET", place(Surface::files, Does::look, false, true)},
    Known{"/v1/uploads", "POST", place(Surface::files, Does::make)},
    Known{"/v1/uploads/{}/parts", "POST", place(Surface::files, Does::change, true)},
    Known{"/v1/uploads/{}/complete", "POST", place(Surface::files, Does::change)},
    Known{"/v1/uploads/{}/cancel", "POST", place(Surface::files, Does::change)},
    Known{"/v1/batches", "GET", place(Surface::batches, Does::list)},
    Known{"/v1/batches", "POST", place(Surface::batches, Does::make)},
    Known{"/v1/batches/{}", "GET", place(Surface::batches, Does::look)},
    Known{"/v1/batches/{}/cancel", "POST", place(Surface::batches, Does::change)},
};

/// Whether a path is of this form; then the id in it.
std::optional<std::string_view> fits(std::string_view form, std::string_view path) noexcept {
  const std::size_t hole = form.find("{}");
  if (hole == std::string_view::npos) return form == path ? std::optional(std::string_view()) : std::nullopt;
  const std::string_view before = form.substr(0, hole), behind = form.substr(hole + 2);
  if (path.size() <= before.size() + behind.size() || !path.starts_with(before) || !path.ends_with(behind)) return std::nullopt;
  const std::string_view id = path.substr(before.size(), path.size() - before.size() - behind.size());
  return id.find('/') == std::string_view::npos ? std::optional(id) : std::nullopt;
}

/// False: it is there and is no count.
bool count_of(const Json& object, const char* name, std::int64_t& count) {
  count = 0;
  if (!object.is_object() || !object.contains(name) || object[name].is_null()) return true;
  if (!object[name].is_number_integer()) return false;
  count = object[name].get<std::int64_t>();
  return count >= 0 && count <= INT32_MAX;
}

/// From the key on: the object behind it, braces and all; "": none, or it is cut off.
std::string_view object_behind(std::string_view text) noexcept {
  const std::size_t open = text.find_first_not_of(" \t\r\n:");
  if (open == std::string_view::npos || text[open] != '{') return {};
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = open; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return text.substr(open, i + 1 - open);
    }
  }
  return {};
}

std::string_view last_usage(std::string_view text) noexcept {
  constexpr std::string_view key = "\"usage\"";
  for (std::size_t at = text.rfind(key); at != std::string_view::npos; at = at == 0 ? at - 1 : text.rfind(key, at - 1)) {
    if (const std::string_view object = object_behind(text.substr(at + key.size())); !object.empty()) return object;
    if (at == 0) break;
  }
  return {};
}

/// A number of seconds as it is written, in microseconds; what is finer is rounded up.
std::optional<std::int64_t> micros_of(std::string_view number) {
  constexpr std::int64_t seconds_max = 30 * 86'400;
  const std::size_t dot = std::min(number.find('.'), number.size());
  std::int64_t micros = 0;
  if (dot == 0 || dot > 7) return std::nullopt;
  for (const char c : number.substr(0, dot)) {
    if (c < '0' || c > '9') return std::nullopt;
    micros = micros * 10 + (c - '0');
  }
  if (micros > seconds_max) return std::nullopt;
  std::string_view fraction = number.substr(std::min(dot + 1, number.size()));
  if (!std::all_of(fraction.begin(), fraction.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  const bool more = fraction.size() > 6 && fraction.substr(6).find_first_not_of('0') != std::string_view::npos;
  for (std::size_t i = 0; i < 6; ++i) micros = micros * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  return micros + static_cast<std::int64_t>(more);
}

/// The digits at a key.
std::string_view number_at(std::string_view text, std::string_view quoted_key) noexcept {
  const std::size_t at = text.find(quoted_key);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = text.find_first_not_of(" \t\r\n:", at + quoted_key.size());
  if (begin == std::string_view::npos) return {};
  const std::size_t end = text.find_first_not_of("0123456789.", begin);
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin);   // cut off: it may have gone on
}

}  // namespace

Result<std::optional<PassedPlace>> passed_place(std::string_view method, std::string_view path) {
  bool is_known = false;
  for (const Known& each : known) {
    const std::optional<std::string_view> id = fits(each.path, path);
    if (!id) continue;
    is_known = true;
    if (method != each.method) continue;
    if (!id->empty() && !is_object_id(*id)) return fail(Fault::not_found, "that is no id of a file, an upload or a batch");
    PassedPlace found = each.place;
    found.id = *id;
    return std::optional(found);
  }
  if (is_known) return fail(Fault::method_not_allowed, "use " + passed_methods(path) + " on " + std::string(path.substr(0, 128)));
  return std::optional<PassedPlace>();
}

std::string passed_methods(std::string_view path) {
  std::string methods;
  for (const Known& each : known) {
    if (fits(each.path, path)) methods.append(methods.empty() ? "" : ", ").append(each.method);
  }
  return methods;
}

std::optional<Usage> passed_usage(std::string_view object, Surface surface, bool spoken) {
  const Json json = Json::parse(object, nullptr, false);
  if (!json.is_object() || !json.contains("input_tokens") || !json.contains("output_tokens")) return std::nullopt;
  const Json& in = json.contains("input_tokens_details") ? json["input_tokens_details"] : json.contains("input_token_details") ? json["input_token_details"] : json["input_tokens"];
  const Json& out = json.contains("output_tokens_details") ? json["output_tokens_details"] : json["output_tokens"];
  std::int64_t input = 0, output = 0, images_in = 0, audio_in = 0, cached = 0, images_out = 0, audio_out = 0;
  const bool counts = count_of(json, "input_tokens", input) && count_of(json, "output_tokens", output) && count_of(in, "image_tokens", images_in) &&
                      count_of(in, "audio_tokens", audio_in) && count_of(in, "cached_tokens", cached) && count_of(out, "image_tokens", images_out) &&
                      count_of(out, "audio_tokens", audio_out);
  const bool told = out.is_object() && (out.contains("image_tokens") || out.contains("audio_tokens"));
  if (!told && surface == Surface::images) images_out = output;
  if (!told && spoken) audio_out = output;
  if (!counts || images_in + audio_in + cached > input || images_out + audio_out > output) return std::nullopt;
  Usage usage;
  const auto rare = [&](RareClass of, std::int64_t tokens) { usage.rare[static_cast<std::size_t>(of)] = static_cast<std::int32_t>(tokens); };
  usage.input = TokenCount{input - images_in - audio_in - cached};
  usage.cached_input = TokenCount{cached};
  usage.unclear = cached > 0 && images_in + audio_in > 0;   // cached of which kind, it does not say
  rare(RareClass::input_image, images_in);
  rare(RareClass::input_audio, audio_in);
  rare(RareClass::output_image, images_out);
  rare(RareClass::output_audio, audio_out);
  usage.output = TokenCount{output - images_out - audio_out};
  return usage;
}

std::optional<std::int64_t> heard_micros(std::string_view usage, std::string_view answer) {
  std::string_view number = number_at(usage, "\"seconds\"");
  if (number.empty()) number = number_at(answer, "\"duration\"");
  return number.empty() ? std::nullopt : micros_of(number);
}

void PassedUsageScan::feed(std::string_view bytes) {
  if (begin_.size() < window_bytes) begin_.append(bytes.substr(0, window_bytes - begin_.size()));
  if (bytes.size() >= window_bytes) {
    end_.assign(bytes.substr(bytes.size() - window_bytes));
    return;
  }
  end_.append(bytes);
  if (end_.size() > 2 * window_bytes) end_.erase(0, end_.size() - window_bytes);
}

std::string PassedUsageScan::usage_object() const {
  const std::string_view at_end = last_usage(end_);
  return std::string(!at_end.empty() ? at_end : last_usage(begin_));
}

}  // namespace tollgate
