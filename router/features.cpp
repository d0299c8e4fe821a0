#include "router/features.hpp"

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "router/fold.hpp"
#include "router/router.hpp"
#include "router/text_scan.hpp"

namespace tollgate {
namespace {

using Bytes16 [[gnu::vector_size(16)]] = std::uint8_t;

/// The texts of one message, or of all system messages, seen as one text.
using Texts = boost::container::small_vector<std::string_view, 6>;

std::size_t size_of(const Texts& texts) noexcept {
  std::size_t sum = 0;
  for (const std::string_view text : texts) sum += text.size();
  return sum;
}

/// Which texts are which. Indices are those of messages; none: there is no such turn.
struct Turns {
  static constexpr int none = -1;
  int now = none, before = none;
  Role now_role = Role::user;
};

Turns find_turns(const ChatView& chat) noexcept {
  Turns turns;
  for (auto text = chat.texts.rbegin(); text != chat.texts.rend(); ++text) {
    if (text->role != Role::user) continue;
    if (turns.now == Turns::none) {
      turns.now = text->message;
    } else if (text->message != turns.now) {
      turns.before = text->message;
      return turns;
    }
  }
  if (turns.now != Turns::none || chat.texts.empty()) return turns;
  // Some clients put all they have to say into the system message.
  turns.now = chat.texts.back().message;
  turns.now_role = chat.texts.back().role;
  return turns;
}

template <class Takes>
Texts collect(const ChatView& chat, Takes takes) {
  Texts texts;
  for (const TextPart& part : chat.texts) {
    if (takes(part) && !part.raw.empty()) texts.push_back(part.raw);
  }
  return texts;
}

/// Calls `take` with the stretches of `texts` between two offsets into all of them together.
template <class Take>
void each_stretch(const Texts& texts, std::size_t from, std::size_t to, Take take) {
  std::size_t begin = 0;
  for (const std::string_view text : texts) {
    const std::size_t end = begin + text.size();
    if (end > from && begin < to) {
      const std::size_t first = std::max(from, begin) - begin;
      take(text.substr(first, std::min(to, end) - begin - first));
    }
    begin = end;
  }
}

/// Drops what may be the rest of an escape or of a character at the begin of a text cut somewhere.
std::string_view from_next_boundary(std::string_view text) noexcept {
  constexpr std::size_t escape_max = 12;  // a surrogate pair: \ud83d\ude00
  const std::size_t look = std::min<std::size_t>(text.size(), 64);
  const std::size_t blank = text.substr(0, look).find(' ');
  if (blank != std::string_view::npos) return text.substr(blank);
  const std::size_t escape = text.substr(0, escape_max).find("\\u");
  if (escape != std::string_view::npos) return text.substr(escape);
  std::size_t skip = 0;
  while (skip < 4 && skip < text.size() && (static_cast<unsigned char>(text[skip]) & 0xC0U) == 0x80U) ++skip;
  return text.substr(skip);
}

constexpr std::size_t folded_max = head_window_bytes + tail_window_bytes;
struct Windows {
  std::size_t head, tail;
};

/// Folds the head and the tail of `texts` into `buffer` and scans them.
Turn turn_of(const Texts& texts, Windows windows, char* buffer, Lexical* lexical = nullptr) {
  Turn turn;
  const std::size_t size = size_of(texts);
  turn.bytes = size;
  if (size == 0) return turn;
  char* end = buffer;
  std::size_t cut = 0;
  const auto append = [&end](std::string_view text) {
    end = fold(text, end);
    *end++ = '\n';  // parts of one message stand on lines of their own
  };
  if (size <= windows.head + windows.tail) {
    each_stretch(texts, 0, size, append);
  } else {
    each_stretch(texts, 0, windows.head, append);
    cut = static_cast<std::size_t>(end - buffer);
    bool first = true;
    each_stretch(texts, size - windows.tail, size, [&](std::string_view text) {
      append(first ? from_next_boundary(text) : text);
      first = false;
    });
  }
  std::fill_n(end, fold_padding, '\0');
  scan({buffer, static_cast<std::size_t>(end - buffer), cut}, turn, lexical);
  return turn;
}

/// Sixteen bytes at a time, each lane counting up to 255 matches before they are summed.
void count_blocks(const char* at, std::size_t blocks, ByteCounts& counts) noexcept {
  while (blocks > 0) {
    const std::size_t run = std::min<std::size_t>(blocks, 255);
    Bytes16 lines{}, digits{}, marks{};
    for (std::size_t i = 0; i < run; ++i, at += 16) {
      Bytes16 bytes, earlier, later;
      __builtin_memcpy(&bytes, at, 16);
      __builtin_memcpy(&earlier, at - 1, 16);
      __builtin_memcpy(&later, at + 1, 16);
      // A comparison yields 255 where it holds; subtracting that adds one.
      lines -= static_cast<Bytes16>((bytes == '\\') & (later == 'n') & (earlier != '\\'));
      digits -= static_cast<Bytes16>(bytes - '0' < 10);
      const Bytes16 folded = bytes | 0x40;  // ';' joins '{', '=' joins '}'
      marks -= static_cast<Bytes16>((folded == '{') | (folded == '}'));
    }
    for (int lane = 0; lane < 16; ++lane) {
      counts.lines += lines[lane];
      counts.digits += digits[lane];
      counts.code_marks += marks[lane];
    }
    blocks -= run;
  }
}

void count_bytes(std::string_view text, ByteCounts& counts) noexcept {
  counts.bytes += static_cast<std::uint32_t>(text.size());
  // The block loop looks one byte to either side, so the first byte and the last few are taken one by one.
  const std::size_t blocks = text.size() < 18 ? 0 : (text.size() - 2) / 16;
  if (blocks > 0) count_blocks(text.data() + 1, blocks, counts);
  const auto one = [&](std::size_t i) {
    const char c = text[i];
    counts.digits += static_cast<std::uint32_t>(c >= '0' && c <= '9');
    counts.code_marks += static_cast<std::uint32_t>(c == '{' || c == '}' || c == ';' || c == '=');
    counts.lines += static_cast<std::uint32_t>(c == '\\' && i + 1 < text.size() && text[i + 1] == 'n' &&
                                               (i == 0 || text[i - 1] != '\\'));
  };
  if (blocks > 0) one(0);
  for (std::size_t i = blocks > 0 ? 1 + 16 * blocks : 0; i < text.size(); ++i) one(i);
}

/// Counts at most `budget` bytes of `texts`, two thirds from the start and the rest from the end; returns what is left
/// of it.
std::size_t count_within(const Texts& texts, std::size_t budget, ByteCounts& counts) {
  const std::size_t size = size_of(texts);
  const auto take = [&counts](std::string_view text) { count_bytes(text, counts); };
  if (size <= budget) {
    each_stretch(texts, 0, size, take);
    return budget - size;
  }
  each_stretch(texts, 0, budget / 3 * 2, take);
  each_stretch(texts, size - budget / 3, size, take);
  return 0;
}

}  // namespace

Features features_of(const ChatView& chat) noexcept {
  Features features;
  const Turns turns = find_turns(chat);
  const auto is_now = [&](const TextPart& part) { return part.message == turns.now && part.role == turns.now_role; };
  const Texts now = collect(chat, is_now);
  const Texts before =
      collect(chat, [&](const TextPart& part) { return part.message == turns.before && part.role == Role::user; });
  const Texts system = collect(chat, [&](const TextPart& part) { return part.role == Role::system && !is_now(part); });

  // Room for the windows, a line end after each part (none is empty, so there are no more of them than bytes), and what
  // readers may read behind.
  std::array<char, 2 * folded_max + 2 * fold_padding> buffer;
  constexpr Windows minor{minor_head_window_bytes, minor_tail_window_bytes};
  features.now = turn_of(now, {head_window_bytes, tail_window_bytes}, buffer.data(), &features.lexical);
  features.before = turn_of(before, minor, buffer.data());
  features.system = turn_of(system, minor, buffer.data());

  std::size_t budget = count_within(now, classify_bytes_max, features.now_bytes);
  for (auto part = chat.texts.rbegin(); part != chat.texts.rend() && budget > 0; ++part) {
    if (is_now(*part)) continue;
    const std::string_view text = part->raw.substr(0, budget);
    count_bytes(text, features.other_bytes);
    budget -= text.size();
  }

  features.text_bytes = chat.text_bytes;
  features.messages = chat.messages;
  features.user_messages = chat.user_messages;
  features.tools = chat.tools;
  features.tool_calls = chat.tool_calls;
  features.tool_results = chat.tool_results;
  features.images = chat.images;
  features.audio = chat.audio;
  features.output_tokens_max = std::max<std::int64_t>(chat.output_tokens_max.value_or(0), 0);
  features.json_output = chat.json_output;
  features.json_schema = chat.json_schema;
  return features;
}

}  // namespace tollgate
