#pragma once
// What the tests of translating dialects share: a client's body, what a dialect makes of it, and a stream cut anywhere.

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "backends/dialect.hpp"

namespace tollgate {

using Json = nlohmann::ordered_json;

inline ClientBody body_of(const std::string& text) {
  ClientBody client;
  client.text = text;
  return client;
}

struct Written {
  Result<void> outcome = success();
  Json body;
  WireBody wire;
};

inline std::unique_ptr<Written> written(DialectName dialect, const Json& request, bool drop = false, const std::string& upstream = "model-1", std::int64_t room = 0) {
  auto out = std::make_unique<Written>();
  const std::string text = request.dump();
  Backend backend;
  backend.dialect = dialect;
  backend.drop_unsupported = drop;
  Target target;
  target.upstream = upstream;
  target.output_tokens_max = room;
  out->outcome = dialect_of(dialect).write(body_of(text), backend, target, out->wire);
  if (out->outcome) {
    EXPECT_EQ(out->wire.pieces.size(), 1U);
    EXPECT_EQ(out->wire.bytes, out->wire.pieces.front().size());
    out->body = Json::parse(out->wire.pieces.front());
  }
  return out;
}

struct StreamRead {
  std::vector<Json> chunks;      // without the end mark
  bool done = false;
  Result<void> fed = success(), finished = success();
  std::unique_ptr<StreamReader> reader;
  std::string text;              // as sent to the client
};

/// Feeds a stream in two pieces, parted at `cut`.
inline StreamRead read_stream(DialectName dialect, const std::string& stream, std::size_t cut, const ClientBody& client = {}) {
  StreamRead read;
  read.reader = dialect_of(dialect).stream_reader(client);
  const auto take = [&](std::string_view bytes) {
    Pieces out;
    if (read.fed) read.fed = read.reader->feed(bytes, out);
    for (const std::string_view piece : out) read.text.append(piece);
  };
  take(std::string_view(stream).substr(0, cut));
  take(std::string_view(stream).substr(cut));
  Pieces out;
  read.finished = read.reader->finish(out);
  for (const std::string_view piece : out) read.text.append(piece);
  for (std::size_t at = 0; at < read.text.size();) {
    const std::size_t end = read.text.find("\n\n", at);
    const std::string event = read.text.substr(at, end - at);
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    if (event == "data: [DONE]") {
      read.done = true;
    } else {
      read.chunks.push_back(Json::parse(event.substr(6)));
    }
    at = end + 2;
  }
  return read;
}

/// What a client that adds the deltas up ends with.
inline Json assembled(const StreamRead& read) {
  Json out{{"content", ""}, {"reasoning", ""}, {"calls", Json::array()}, {"finish", nullptr}};
  for (const Json& chunk : read.chunks) {
    for (const Json& choice : chunk.value("choices", Json::array())) {
      const Json& delta = choice["delta"];
      if (delta.contains("content")) out["content"] = out["content"].get<std::string>() + delta["content"].get<std::string>();
      if (delta.contains("reasoning_content")) out["reasoning"] = out["reasoning"].get<std::string>() + delta["reasoning_content"].get<std::string>();
      for (const Json& call : delta.value("tool_calls", Json::array())) {
        const auto index = call["index"].get<std::size_t>();
        while (out["calls"].size() <= index) out["calls"].push_back({{"id", ""}, {"name", ""}, {"arguments", ""}});
        Json& kept = out["calls"][index];
        if (call.contains("id")) kept["id"] = call["id"];
        const Json& function = call["function"];
        if (function.contains("name")) kept["name"] = function["name"];
        kept["arguments"] = kept["arguments"].get<std::string>() + function.value("arguments", "");
      }
      if (!choice["finish_reason"].is_null()) out["finish"] = choice["finish_reason"];
    }
  }
  return out;
}

/// A conversation with a system prompt, an image, two calls and their results.
inline Json conversation() {
  return Json::parse(R"({
    "model": "m", "max_tokens": 300, "temperature": 0.5, "stop": ["END"], "stream": true, "user": "u-7",
    "messages": [
      {"role": "system", "content": "Answer in one line."},
      {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}]},
      {"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{\"name\":\"tower\"}"}},
        {"id": "call_2", "type": "function", "function": {"name": "now", "arguments": ""}}]},
      {"role": "tool", "tool_call_id": "call_1", "content": "{\"height\": 300}"},
      {"role": "tool", "tool_call_id": "call_2", "content": "noon"},
      {"role": "user", "content": "And?"}],
    "tools": [{"type": "function", "function": {"name": "look_up", "description": "Finds things", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}},
              {"type": "function", "function": {"name": "now"}}],
    "tool_choice": "required"})");
}

}  // namespace tollgate
