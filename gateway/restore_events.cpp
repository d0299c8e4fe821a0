// Masked values put back in streams of Anthropic's Messages and OpenAI's Responses that go to the client as they came. A piece that may be
// the beginning of a placeholder waits, as in chunks of chat completions; what still waits when its block or part ends goes out before
// the event that says so.

#include <nlohmann/json.hpp>

#include "gateway/restore.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;

std::string number_at(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_integer() ? std::to_string(found->get<std::int64_t>()) : "0";
}

void write(const Json& json, std::string& out) {
  out.append("event: ").append(json.value("type", "")).append("\ndata: ");
  out.append(json.dump(-1, ' ', false, Json::error_handler_t::replace)).append("\n\n");
}

/// Of Responses: which text a delta belongs to, and so its "done".
std::string part_of(const Json& json) {
  return number_at(json, "output_index") + "." + number_at(json, "content_index") + "." + number_at(json, "summary_index") + ".";
}

}  // namespace

bool Restorer::native(const std::string& raw, Json& json, std::string& out) {
  const std::string type = json.value("type", "");
  if (type == "content_block_delta" || type == "content_block_stop") {
    block(type == "content_block_stop", raw, json, out);
    return true;
  }
  if (!type.starts_with("response.")) return false;
  response(type, json, out);
  return true;
}

void Restorer::block(bool stop, const std::string& raw, Json& json, std::string& out) {
  const std::string begin = "b" + number_at(json, "index") + ".";
  if (stop) {
    for (auto held = held_.lower_bound(begin); held != held_.end() && held->first.starts_with(begin); held = held_.erase(held)) {
      const std::string member = held->first.substr(begin.size());
      const std::string delta = member == "text" ? "text_delta" : member == "thinking" ? "thinking_delta" : "input_json_delta";
      write({{"type", "content_block_delta"}, {"index", json["index"]}, {"delta", {{"type", delta}, {member, held->second}}}}, out);
    }
    out.append(raw);
    return;
  }
  Json& delta = json["delta"];
  for (const char* const member : {"text", "partial_json", "thinking"}) {
    if (!delta.is_object() || !delta.contains(member) || !delta[member].is_string()) continue;
    auto piece = delta[member].get<std::string>();
    restore_piece(begin + member, piece, false);
    delta[member] = std::move(piece);
  }
  write(json, out);
}

void Restorer::response(const std::string& type, Json& json, std::string& out) {
  if (type.ends_with(".delta") && json.contains("delta") && json["delta"].is_string()) {
    auto piece = json["delta"].get<std::string>();
    restore_piece("r" + part_of(json) + type, piece, false);
    json["delta"] = std::move(piece);
    return write(json, out);
  }
  if (type.ends_with(".done")) {
    const std::string begin = "r" + part_of(json);
    for (auto held = held_.lower_bound(begin); held != held_.end() && held->first.starts_with(begin); held = held_.erase(held)) {
      Json delta = json;   // the same place in the answer
      for (const char* const member : {"text", "arguments", "refusal", "part", "item", "name"}) delta.erase(member);
      delta["type"] = held->first.substr(begin.size());
      delta["delta"] = held->second;
      write(delta, out);
    }
  }
  restore_all(json);
  write(json, out);
}

/// What is whole is restored whole.
void Restorer::restore_all(Json& json) const {
  if (json.is_string()) json = replaced(json.get_ref<const std::string&>());
  if (!json.is_structured()) return;
  for (Json& inner : json) restore_all(inner);
}

}  // namespace tollgate
