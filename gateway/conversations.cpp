#include "gateway/conversations.hpp"

#include <algorithm>
#include <cstring>

namespace tollgate {
namespace {

constexpr std::size_t part_bytes_max =
    1024;  // hashed of a long text: so much of its head and of its tail, and its length
constexpr std::uint64_t seconds_mask = 0xFFFFFF;
constexpr std::uint64_t tokens_unit = 64, tokens_mask = 0xFFFF;

__extension__ typedef unsigned __int128 UInt128;  // NOLINT(modernize-use-using): -Wpedantic knows no other way

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<UInt128>(a ^ 0x9E3779B97F4A7C15ULL) * (b ^ 0xD6E8FEB86659FD93ULL);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t sum) noexcept {
  sum = mixed(sum, bytes.size());
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), size);
    sum = mixed(sum, word);
    bytes.remove_prefix(size);
  }
  return sum;
}

std::uint64_t hash_text(std::string_view text, std::uint64_t sum) noexcept {
  if (text.size() <= 2 * part_bytes_max) return hash_bytes(text, sum);
  sum = mixed(sum, text.size());
  return hash_bytes(text.substr(text.size() - part_bytes_max), hash_bytes(text.substr(0, part_bytes_max), sum));
}

std::uint64_t tag_of(std::uint64_t conversation) noexcept { return conversation >> 57; }
std::uint64_t seconds_of(std::uint64_t turn) noexcept { return turn >> 24 & seconds_mask; }
std::uint64_t age_of(std::uint64_t turn, std::int64_t now_seconds) noexcept {
  return (static_cast<std::uint64_t>(now_seconds) - seconds_of(turn)) & seconds_mask;
}

}  // namespace

std::uint64_t conversation_of(std::string_view session_header, const Caller& caller, const ChatView& chat) noexcept {
  if (chat.surface == Surface::embeddings) return 0;
  const std::uint64_t of_caller =
      mixed(static_cast<std::uint64_t>(caller.key), static_cast<std::uint64_t>(caller.team));
  std::uint64_t sum = 0;
  if (!session_header.empty()) {
    sum = hash_text(session_header, mixed(of_caller, 1));
  } else if (!chat.prompt_cache_key.empty()) {
    sum = hash_text(chat.prompt_cache_key, mixed(of_caller, 2));
  } else {
    if (chat.surface != Surface::chat) return 0;  // a prompt's beginning says too little
    sum = hash_text(chat.user, mixed(of_caller, 3));
    bool found = false;
    std::uint16_t first = 0;
    for (const TextPart& part : chat.texts) {
      const bool opens = part.role == Role::user && (!found || part.message == first);
      if (!opens && (found || part.role != Role::system)) continue;
      if (opens) {
        found = true;
        first = part.message;
      }
      sum = hash_text(part.raw, sum);
    }
    if (!found) return 0;
  }
  return sum == 0 ? 1 : sum;
}

RequestFacts::Conversation Conversations::find(std::uint64_t conversation, std::int64_t now_seconds,
                                               std::int64_t ttl_seconds) const noexcept {
  if (conversation == 0 || ttl_seconds <= 0) return {};
  for (const Entry& entry : set_of(conversation)) {
    if (entry.conversation.load(std::memory_order_acquire) != conversation) continue;
    const std::uint64_t turn = entry.turn.load(std::memory_order_acquire);
    const bool whole =
        (turn & 0x7F) == tag_of(conversation) && entry.conversation.load(std::memory_order_relaxed) == conversation;
    if (!whole || age_of(turn, now_seconds) > static_cast<std::uint64_t>(ttl_seconds)) return {};
    const bool caches = (turn >> 7 & 1) != 0;
    const auto tokens = static_cast<std::int64_t>((turn >> 8 & tokens_mask) * tokens_unit);
    return {static_cast<NameId>(turn >> 48), TokenCount{caches ? tokens : 0}};
  }
  return {};
}

void Conversations::note(std::uint64_t conversation, const Turn& turn, std::int64_t now_seconds) noexcept {
  if (conversation == 0) return;
  Set& set = set_of(conversation);
  Entry* entry = nullptr;
  for (Entry& each : set) {
    if (each.conversation.load(std::memory_order_relaxed) == conversation) entry = &each;
  }
  for (Entry& each : set) {
    if (entry == nullptr && each.conversation.load(std::memory_order_relaxed) == 0) entry = &each;
  }
  if (entry == nullptr) {
    entry = std::max_element(set.begin(), set.end(), [now_seconds](const Entry& a, const Entry& b) {
      return age_of(a.turn.load(std::memory_order_relaxed), now_seconds) <
             age_of(b.turn.load(std::memory_order_relaxed), now_seconds);
    });
  }
  // Rounded up: 0 is left for "not cached".
  const auto bounded =
      static_cast<std::uint64_t>(std::clamp<std::int64_t>(turn.input.count(), 1, tokens_unit * tokens_mask));
  const std::uint64_t tokens = (bounded + tokens_unit - 1) / tokens_unit;
  const std::uint64_t word = static_cast<std::uint64_t>(turn.target) << 48 |
                             (static_cast<std::uint64_t>(now_seconds) & seconds_mask) << 24 | tokens << 8 |
                             (turn.caches ? 1ULL : 0ULL) << 7 | tag_of(conversation);
  // A reader that sees the new turn under the old name finds another tag, or the name gone when it looks again.
  if (entry->conversation.load(std::memory_order_relaxed) != conversation)
    entry->conversation.store(0, std::memory_order_release);
  entry->turn.store(word, std::memory_order_release);
  entry->conversation.store(conversation, std::memory_order_release);
}

}  // namespace tollgate
