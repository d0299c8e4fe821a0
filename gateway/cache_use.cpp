#include "gateway/cache_use.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "backends/native.hpp"
#include "backends/sse.hpp"
#include "gateway/answer_copy.hpp"

namespace tollgate {

namespace {

/// The whole response stands in the last event of a Responses stream.
std::string finished_response(std::string_view events) {
  SseSplitter splitter;
  std::string response, joined;
  (void)splitter.feed(events, [&](std::string_view raw) {
    const std::string_view data = event_data(raw, joined);
    const bool is_end = data.find("\"response.completed\"") != std::string_view::npos || data.find("\"response.incomplete\"") != std::string_view::npos;
    if (!is_end) return;
    const nlohmann::ordered_json event = nlohmann::ordered_json::parse(data, nullptr, false);
    if (event.is_object() && event.contains("response")) response = event["response"].dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  });
  return response;
}

/// Events of Messages read as those of a chat completion.
std::string chat_events(std::string_view events) {
  const ClientBody client;
  const std::unique_ptr<StreamReader> reader = dialect_of(DialectName::anthropic).stream_reader(client);
  std::string chat;
  Pieces pieces;
  const auto take = [&](const Result<void>& read) {
    for (const std::string_view piece : pieces) chat.append(piece);
    pieces.clear();
    return read.has_value();
  };
  if (!take(reader->feed(events, pieces)) || !take(reader->finish(pieces))) return {};
  return chat;
}

}  // namespace

CacheWishes cache_wishes(std::span<const HeaderField> fields) {
  CacheWishes wishes;
  for (const HeaderField& field : fields) {
    if (!boost::beast::iequals(field.name, "cache-control")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view word = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      while (!word.empty() && (word.front() == ' ' || word.front() == '\t')) word.remove_prefix(1);
      while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
      constexpr std::string_view age = "max-age=";
      wishes.no_cache = wishes.no_cache || boost::beast::iequals(word, "no-cache");
      wishes.no_store = wishes.no_store || boost::beast::iequals(word, "no-store");
      std::int64_t seconds = 0;
      if (word.size() <= age.size() || !boost::beast::iequals(word.substr(0, age.size()), age)) continue;
      const char* const end = word.data() + word.size();
      if (std::from_chars(word.data() + age.size(), end, seconds).ptr == end && seconds >= 0) {
        wishes.max_age = std::chrono::seconds{std::min<std::int64_t>(seconds, 1'000'000'000)};
      }
    }
  }
  return wishes;
}

std::string answer_as_chat(ClientForm form, bool stream, std::string_view bytes) {
  if (form == ClientForm::messages) return stream ? stitched_answer(chat_events(bytes)) : native_answer_as_chat(form, bytes);
  if (form == ClientForm::responses) return native_answer_as_chat(form, stream ? finished_response(bytes) : bytes);
  return stream ? stitched_answer(bytes) : std::string(bytes);
}

}  // namespace tollgate
