#pragma once
// Which target took a conversation's last turn, and how much of it that target's prompt cache should hold: what
// stickiness is reckoned with. One table per process, all reactors, bounded memory (1 MiB), no locks: a set-associative
// cache of words. It may forget a conversation (its set is full of younger ones); it never mistakes one for another but
// by a collision of 64 bits.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "config/config.hpp"
#include "gateway/authenticate.hpp"
#include "router/router.hpp"

namespace tollgate {

/// What identifies a conversation, mixed with the caller's key so that callers never share one: the header
/// x-tollgate-session, else the body's prompt_cache_key, else its user, system prompt and first user message. 0:
/// nothing does (an embedding, a bare prompt without a session).
[[nodiscard]] std::uint64_t conversation_of(std::string_view session_header, const Caller& caller,
                                            const ChatView& chat) noexcept;

class Conversations {
 public:
  static constexpr std::size_t entries = std::size_t{1} << 16;

  /// The last turn, unless it is older than `ttl_seconds`; `cached` is 0 where the target was seen not to cache it.
  [[nodiscard]] RequestFacts::Conversation find(std::uint64_t conversation, std::int64_t now_seconds,
                                                std::int64_t ttl_seconds) const noexcept;

  struct Turn {
    NameId target{};
    TokenCount input;    ///< of the turn, cached or not
    bool caches = true;  ///< false: a cache was expected and the provider said that it read nothing from one
  };
  void note(std::uint64_t conversation, const Turn& turn, std::int64_t now_seconds) noexcept;

 private:
  static constexpr std::size_t ways = 4;
  struct Entry {
    std::atomic<std::uint64_t> conversation{0};  // 0: free
    std::atomic<std::uint64_t> turn{0};          // target 16 | seconds 24 | tokens / 64 16 | caches 1 | tag 7 bits
  };
  using Set = std::array<Entry, ways>;
  [[nodiscard]] Set& set_of(std::uint64_t conversation) const noexcept {
    return sets_[conversation % (entries / ways)];
  }

  std::unique_ptr<Set[]> sets_ = std::make_unique<Set[]>(entries / ways);
};

}  // namespace tollgate
