#pragma once
// What an exchange knows of the response cache, on a route that uses it. cached.cpp looks, answers and stores.

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backends/inbound.hpp"
#include "gateway/cache_counts.hpp"
#include "gateway/response_cache.hpp"
#include "router/router.hpp"

namespace tollgate {

struct CacheUse {
  CacheResult result = CacheResult::bypass;
  bool stores = false;         ///< the answer may be kept
  bool served = false;         ///< the client got `answer`
  ResponseCache::Key key{};
  AnswerPtr answer;            ///< found, and this request may have it
  std::string bytes;           ///< of the answer under way, as the client gets them but for usage.cost
  std::size_t bytes_max = 0;
  std::size_t cost_at = 0;     ///< as in CachedAnswer
  bool cost_leads = false;
  std::string schema;          ///< the JSON schema that was asked for; the request's text is given up when a stream begins

  void fill(std::string_view more) {
    if (!stores) return;
    if (bytes.size() + more.size() > bytes_max) {
      stores = false;
      bytes = std::string();
      return;
    }
    bytes.append(more);
  }
};

/// The header cache-control of a request (RFC 9111, 5.2.1). What is not listed here is not looked at.
struct CacheWishes {
  bool no_cache = false;       ///< not to be answered from the cache
  bool no_store = false;       ///< its answer is not to be kept
  std::optional<std::chrono::seconds> max_age;
};
[[nodiscard]] CacheWishes cache_wishes(std::span<const HeaderField> fields);

/// Bytes as a client of that form got them, as a whole chat completion (completions: as they are); "": they cannot be read.
[[nodiscard]] std::string answer_as_chat(ClientForm form, bool stream, std::string_view bytes);

}  // namespace tollgate
