#include "backends/splice.hpp"

#include <algorithm>
#include <array>

namespace tollgate {

namespace {

struct Edit {
  std::uint32_t offset, length;
  std::size_t snippet;          // index into owned; none: cut out
};
constexpr std::size_t none = static_cast<std::size_t>(-1);

constexpr std::string_view blanks = " \t\r\n";

// The end of the JSON value that begins at `at`: strings are skipped, brackets matched. `text` is known to be valid JSON.
std::size_t value_end(std::string_view text, std::size_t at) {
  int depth = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\' ? 1U : 0U;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;
      --depth;
    } else if (c == ',' && depth == 0) {
      return at;
    }
  }
  return at;
}

// The members of the client's stream_options but for those we set, each followed by a comma.
std::string other_options(std::string_view object) {
  std::string kept;
  std::size_t at = 1;   // behind the brace
  while (at < object.size() && object[at] != '}') {
    const std::size_t begin = object.find_first_not_of(blanks, at);
    if (begin == std::string_view::npos || object[begin] == '}') break;
    const std::size_t end = value_end(object, begin);
    const std::string_view member = object.substr(begin, end - begin);
    if (!member.starts_with("\"include_usage\"") && !member.starts_with("\"continuous_usage_stats\"")) kept.append(member).append(",");
    at = end < object.size() && object[end] == ',' ? end + 1 : end;
  }
  return kept;
}

std::string stream_options(std::string_view clients, StreamUsage wish) {
  std::string text = "{";
  if (clients.starts_with('{')) text += other_options(clients);
  text += "\"include_usage\":true";
  if (wish.continuous) text += ",\"continuous_usage_stats\":true";
  return text + "}";
}

}  // namespace

std::string json_quoted(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4U];
      out += digits[static_cast<unsigned char>(c) & 15U];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void splice(const ClientBody& client, std::string_view upstream_model, StreamUsage wish, WireBody& out) {
  out.owned.reserve(3);
  out.owned.push_back(json_quoted(upstream_model));
  std::array<Edit, 4> edits{};
  std::size_t count = 0;
  edits[count++] = {client.model_value.offset, client.model_value.length, 0};
  if (client.usage_member.present()) edits[count++] = {client.usage_member.offset, client.usage_member.length, none};
  if (client.stream && wish.include) {
    const bool given = client.stream_options_value.present();
    std::string options = stream_options(given ? client.stream_options_value.of(client.text) : std::string_view{}, wish);
    if (given) {
      edits[count++] = {client.stream_options_value.offset, client.stream_options_value.length, 1};
    } else {
      options.insert(0, "\"stream_options\":").append(",");
      edits[count++] = {client.after_brace, 0, 1};
    }
    out.owned.push_back(std::move(options));
  }
  if (client.ask_metrics && !client.include_metrics) {
    const Span said = client.include_metrics_value;   // false or null
    edits[count++] = {said.present() ? said.offset : client.after_brace, said.length, out.owned.size()};
    out.owned.emplace_back(said.present() ? "true" : "\"include_metrics\":true,");
  }
  std::sort(edits.begin(), edits.begin() + static_cast<std::ptrdiff_t>(count), [](const Edit& a, const Edit& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.length < b.length;   // what is put in goes before what is cut out there
  });
  const auto add = [&](std::string_view piece) {
    if (piece.empty()) return;
    out.pieces.push_back(piece);
    out.bytes += piece.size();
  };
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    add(client.text.substr(at, edits[i].offset - at));
    if (edits[i].snippet != none) add(out.owned[edits[i].snippet]);
    at = edits[i].offset + edits[i].length;
  }
  add(client.text.substr(at));
}

}  // namespace tollgate
