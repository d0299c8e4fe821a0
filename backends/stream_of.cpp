#include "backends/stream_of.hpp"

#include "backends/json_members.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using json::at;
using json::dumped;

Json chunk_of(const Json& whole, bool chat) {
  Json chunk;
  for (const auto& [name, value] : whole.items()) {
    if (name != "choices" && name != "usage" && name != "metrics") chunk[name] = value;
  }
  chunk["object"] = chat ? "chat.completion.chunk" : "text_completion";
  return chunk;
}

void append(std::string& out, const Json& event) { out.append("data: ").append(dumped(event)).append("\n\n"); }

// A message is a delta but for its calls, which a stream numbers.
Json delta_of(const Json& message) {
  Json delta = message.is_object() ? message : Json::object();
  if (delta.contains("tool_calls") && delta["tool_calls"].is_array()) {
    std::size_t index = 0;
    for (Json& call : delta["tool_calls"]) {
      if (call.is_object()) call["index"] = index++;
    }
    if (delta["tool_calls"].empty()) delta.erase("tool_calls");
  }
  return delta;
}

}  // namespace

Result<std::string> stream_of(std::string_view body, const ClientBody& client, std::string_view cost_usd) {
  const Json whole = Json::parse(body, nullptr, false);
  const bool chat = client.surface == Surface::chat;
  if (!whole.is_object() || !at(whole, "choices").is_array()) return fail(Fault::upstream_garbage, "the upstream's answer has no choices");
  std::string out;
  const Json head = chunk_of(whole, chat);
  const auto tell = [&](Json choice) {
    Json chunk = head;
    chunk["choices"] = Json::array({std::move(choice)});
    append(out, chunk);
  };
  for (const Json& choice : whole["choices"]) {
    const Json index = at(choice, "index").is_number_integer() ? at(choice, "index") : Json(0);
    Json told{{"index", index}};
    if (chat) {
      told["delta"] = delta_of(at(choice, "message"));
    } else {
      told["text"] = at(choice, "text");
    }
    told["logprobs"] = at(choice, "logprobs");
    told["finish_reason"] = nullptr;
    tell(std::move(told));
    Json end{{"index", index}};
    if (chat) {
      end["delta"] = Json::object();
    } else {
      end["text"] = "";
    }
    end["logprobs"] = nullptr;
    end["finish_reason"] = at(choice, "finish_reason");
    tell(std::move(end));
  }
  const Json& usage = at(whole, "usage");
  if (usage.is_object() && (client.include_usage || client.wants_cost)) {
    Json chunk = head;
    chunk["choices"] = Json::array();
    chunk["usage"] = usage;
    std::string event = dumped(chunk);
    // The amount goes in as it is written: through a number it would lose digits.
    if (!cost_usd.empty()) event.insert(event.size() - 2, (usage.empty() ? "\"cost\":" : ",\"cost\":") + std::string(cost_usd));
    out.append("data: ").append(event).append("\n\n");
  }
  out.append("data: [DONE]\n\n");
  return out;
}

}  // namespace tollgate
