#include "gateway/restore.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 4> text_members{"content", "reasoning", "reasoning_content", "refusal"};

std::string index_of(const Json& entry) {
  const auto index = entry.find("index");
  return index != entry.end() && index->is_number_integer() ? std::to_string(index->get<std::int64_t>()) : "0";
}

}  // namespace

Restorer::Restorer(std::vector<Masked::Swap> swaps) : swaps_(std::move(swaps)) {
  std::erase_if(swaps_, [](const Masked::Swap& swap) { return swap.original.empty(); });
}

// '<' is often written as \u003c in JSON.
std::string Restorer::replaced(std::string_view text) const {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> brackets{
      {{"<", ">"}, {"\\u003c", "\\u003e"}, {"\\u003C", "\\u003E"}}};
  std::string out;
  out.reserve(text.size() + 64);
  for (std::size_t at = 0; at < text.size();) {
    bool found = false;
    if (text[at] == '<' || text[at] == '\\') {
      for (const auto& [open, close] : brackets) {
        if (text.substr(at, open.size()) != open) continue;
        const std::size_t begin = at + open.size(), end = text.find(close, begin);
        if (end == std::string_view::npos || end - begin > 40) continue;
        const std::string_view name = text.substr(begin, end - begin);
        const auto swap = std::find_if(swaps_.begin(), swaps_.end(), [&](const Masked::Swap& each) {
          return std::string_view(each.placeholder).substr(1, each.placeholder.size() - 2) == name;
        });
        if (swap == swaps_.end()) continue;
        out += swap->original;
        at = end + close.size();
        found = true;
        break;
      }
      // An escaped backslash is one character: what follows it begins no escape.
      if (!found && text[at] == '\\' && at + 1 < text.size()) out += text[at++];
    }
    if (!found) out += text[at++];
  }
  return out;
}

std::string Restorer::whole(std::string_view json) const { return replaced(json); }

// Where the beginning of a placeholder stands at the end of the text; its size if there is none.
std::size_t Restorer::begun_in(std::string_view text) const noexcept {
  const std::size_t open = text.rfind('<');
  if (open == std::string_view::npos) return text.size();
  const std::string_view tail = text.substr(open);
  const bool begun = std::any_of(swaps_.begin(), swaps_.end(), [&](const Masked::Swap& swap) {
    return swap.placeholder.size() > tail.size() && swap.placeholder.starts_with(tail);
  });
  return begun ? open : text.size();
}

void Restorer::restore_piece(const std::string& channel, std::string& text, bool last) {
  const auto held = held_.find(channel);
  if (held != held_.end()) {
    text.insert(0, held->second);
    held_.erase(held);
  }
  if (!last) {
    const std::size_t begun = begun_in(text);
    if (begun < text.size()) held_[channel] = text.substr(begun);
    text.resize(begun);
  }
  text = replaced(text);
}

Result<void> Restorer::events(std::string_view bytes, std::string& out) {
  return splitter_.feed(bytes, [&](std::string_view raw) { event(raw, out); });
}

void Restorer::event(std::string_view raw, std::string& out) {
  std::string joined;
  const std::string_view data = event_data(raw, joined);
  const bool may_matter = data.find('<') != std::string_view::npos || data.find("\\u003") != std::string_view::npos;
  if (data.starts_with("[DONE]")) finish(out);
  if (held_.empty() && !may_matter) {
    out.append(raw);
    return;
  }
  Json json = data.starts_with('{') ? Json::parse(data, nullptr, false) : Json();
  if (json.is_object() && json.contains("type") && json["type"].is_string() && native(std::string(raw), json, out)) return;
  if (!json.is_object() || !json.contains("choices") || !json["choices"].is_array()) {
    out.append(raw);
    return;
  }
  for (Json& each : json["choices"]) {
    if (each.is_object()) choice(each);
  }
  if (!held_.empty()) {
    Json frame = json;
    frame["choices"] = Json::array();
    frame.erase("usage");
    frame_ = frame.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  out.append("data: ").append(json.dump(-1, ' ', false, Json::error_handler_t::replace)).append("\n\n");
}

void Restorer::choice(Json& choice) {
  const std::string index = index_of(choice);
  const bool last = choice.contains("finish_reason") && choice["finish_reason"].is_string();
  const auto piece = [&](Json& text, const std::string& channel) {
    if (!text.is_string()) return;
    auto value = text.get<std::string>();
    restore_piece(channel, value, last);
    text = std::move(value);
  };
  if (choice.contains("text")) piece(choice["text"], index + ".text");
  if (choice.contains("delta") && choice["delta"].is_object()) {
    Json& delta = choice["delta"];
    for (const char* const member : text_members) {
      if (delta.contains(member)) piece(delta[member], index + "." + member);
    }
    if (delta.contains("tool_calls") && delta["tool_calls"].is_array()) {
      for (Json& call : delta["tool_calls"]) {
        if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) continue;
        if (call["function"].contains("arguments"))
          piece(call["function"]["arguments"], index + ".tool." + index_of(call));
      }
    }
  }
  if (last) release(choice, index);
}

// What is still held of this choice goes out with its last event.
void Restorer::release(Json& choice, const std::string& index) {
  for (auto held = held_.begin(); held != held_.end();) {
    const std::string& channel = held->first;
    if (!channel.starts_with(index + ".")) {
      ++held;
      continue;
    }
    const std::string member = channel.substr(index.size() + 1);
    if (member == "text") {
      choice["text"] = held->second + choice.value("text", std::string());
    } else if (member.starts_with("tool.")) {
      choice["delta"]["tool_calls"].push_back(
          {{"index", std::stoll(member.substr(5))}, {"function", {{"arguments", held->second}}}});
    } else {
      choice["delta"][member] = held->second;
    }
    held = held_.erase(held);
  }
}

void Restorer::finish(std::string& out) {
  // Of a client's own protocol ("b0.text"): its blocks have ended, or its stream has not.
  std::erase_if(held_, [](const auto& held) { return held.first.front() == 'b' || held.first.front() == 'r'; });
  while (!held_.empty()) {
    const std::string channel = held_.begin()->first, index = channel.substr(0, channel.find('.'));
    Json json = Json::parse(frame_, nullptr, false);
    if (!json.is_object()) json = Json::object();
    Json choice{{"index", std::stoll(index)}};
    release(choice, index);
    json["choices"] = Json::array({choice});
    out.append("data: ").append(json.dump(-1, ' ', false, Json::error_handler_t::replace)).append("\n\n");
  }
}

}  // namespace tollgate
