#include "router/text_scan.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "router/blocks.hpp"
#include "router/text_shape.hpp"
#include "router/text_zones.hpp"

namespace tollgate {
namespace {

template <class T>
void add(T& counter, std::size_t more = 1) noexcept {
  constexpr std::size_t top = std::numeric_limits<T>::max();
  counter = static_cast<T>(std::min<std::size_t>(counter + more, top));
}

constexpr bool is_task(Mark mark) noexcept { return mark >= Mark::prove && mark <= Mark::simple; }
constexpr std::uint32_t output_words_max = 100'000;
constexpr std::uint32_t words_per_page = 400;
constexpr std::size_t long_word_bytes = 9;
constexpr std::uint64_t lexical_mix = 0x9E3779B97F4A7C15ULL;
constexpr std::uint32_t late_words = 0xFFF;  // a bit for each of the last twelve

/// Walks the words of a folded text in order and counts their marks by zone.
class WordScan {
 public:
  WordScan(const FoldedText& folded, const Zones& zones, Turn& turn, Lexical* lexical) noexcept
      : text_(folded.text), size_(folded.size), zones_(zones), words_(lexicon()), turn_(turn), lexical_(lexical) {}

  void run() noexcept {
    bool open = false;  // a word reaches into this block
    std::size_t word_begin = 0;
    for (std::size_t at = 0; at < size_; at += block_bytes) {
      const Block block(text_ + at);
      std::uint32_t inside = block.between('a', 'z') | block.between('0', '9') | block.equal('_');
      std::uint32_t wide = block.non_ascii();
      if (size_ - at < block_bytes) {
        const std::uint32_t live = (1U << (size_ - at)) - 1;
        inside &= live;
        wide &= live;
      }
      // Bits where a word begins or ends, in turn.
      std::uint32_t edges = (inside ^ (inside << 1 | static_cast<std::uint32_t>(open))) & 0xFFFFU;
      for (; edges != 0; edges &= edges - 1) {
        const std::size_t position = at + static_cast<std::size_t>(std::countr_zero(edges));
        if (open) {
          word(word_begin, position);
        } else {
          word_begin = position;
        }
        open = !open;
      }
      for (; wide != 0; wide &= wide - 1) character(at + static_cast<std::size_t>(std::countr_zero(wide)));
    }
    if (open) word(word_begin, size_);
    turn_.words = static_cast<std::uint16_t>(std::min<std::size_t>(turn_.words + characters_ / 2, 0xFFFF));
    add(turn_.shape.question_words, characters_ / 2);
    add(turn_.shape.distinct_words, characters_ / 2);
    add(turn_.shape.characters, characters_);
    turn_.shape.late_numbers = static_cast<std::uint16_t>(std::popcount(late_numbers_ & late_words));
    turn_.leads_simple = turn_.lead == Mark::simple || tail_lead_ == Mark::simple;
  }

 private:
  void word(std::size_t begin, std::size_t end) noexcept {
    const std::size_t length = end - begin;
    const WordKey key = word_at(text_ + begin, length);
    const bool said = is_said(begin, word_zone_);
    const bool number = static_cast<unsigned char>(text_[begin] - '0') < 10;
    add(said ? turn_.words : turn_.words_quoted);
    if (said) shape(key, begin, length, number);
    if (number) {
      if (said) add(turn_.numbers);
      number_ = number_value(begin, end);
    } else {
      const Mark mark = words_.find(key, length), pair = words_.find_pair(last_, key);
      if (mark != Mark::none && pair != Mark::small_talk) take(mark, begin, said);  // "Guten Tag" tags nothing
      if (pair != Mark::none) take(pair, begin, said);
    }
    number_is_last_ = number;
    last_ = key;
  }

  /// What a said word adds to the instruction's shape. Distinct words are told by one bit of their hash in 1024.
  void shape(WordKey key, std::size_t begin, std::size_t length, bool number) noexcept {
    Shape& shape = turn_.shape;
    const std::uint64_t hash = hash_of(key);
    const bool is_new = see(hash);
    if (lexical_ != nullptr && !number) {
      if (is_new) lexical_->add(hash);
      // A pair by both words' hashes, so that "root cause" is not "cause root".
      if (last_hash_ != 0) add_once(std::rotl(last_hash_, 17) ^ hash);
    }
    last_hash_ = number ? 0 : hash;
    if (zones_.options_begin != 0 && begin >= zones_.options_begin) {
      add(shape.option_words);
      if (is_new) {
        add(shape.distinct_options);
      } else {
        add(shape.shared_words);
      }
      if (number) add(shape.option_numbers);
    } else {
      add(shape.question_words);
      if (is_new) add(shape.distinct_words);
      late_numbers_ = late_numbers_ << 1 | static_cast<std::uint32_t>(number);
    }
    if (number) {
      add(shape.figures, length);
      if (begin >= 2 && text_[begin - 1] == '.' && static_cast<unsigned char>(text_[begin - 2] - '0') < 10) {
        add(shape.decimals);
      }
    } else {
      add(shape.letters, length);
      if (length >= long_word_bytes) add(shape.long_words);
    }
  }

  static std::uint64_t hash_of(WordKey key) noexcept { return (key.low ^ std::rotl(key.high, 29)) * lexical_mix; }

  /// Whether a hash is new, roughly.
  bool see(std::uint64_t hash) noexcept {
    std::uint64_t& seen = seen_[hash >> 60];
    const std::uint64_t bit = std::uint64_t{1} << (hash >> 54 & 63);
    const bool is_new = (seen & bit) == 0;
    seen |= bit;
    return is_new;
  }

  void add_once(std::uint64_t mixed) noexcept {
    const std::uint64_t hash = mixed * lexical_mix;
    std::uint64_t& seen = pairs_seen_[hash >> 60];
    const std::uint64_t bit = std::uint64_t{1} << (hash >> 54 & 63);
    if ((seen & bit) == 0) lexical_->add(hash);
    seen |= bit;
  }

  /// A lead byte E3 … E9 begins a Chinese or Japanese character; it is looked up together with the next one.
  void character(std::size_t at) noexcept {
    const auto lead = static_cast<unsigned char>(text_[at]);
    if (lead < 0xE3 || lead > 0xE9) return;
    const bool said = is_said(at, character_zone_);
    if (said) {
      ++characters_;
    } else if (lead != 0xE3) {
      add(turn_.words_quoted);
    }
    if (at + stem_bytes > size_) return;
    if (said && lexical_ != nullptr) add_once(word_at(text_ + at, stem_bytes).low);
    const Mark mark = words_.find_characters(text_ + at);
    if (mark != Mark::none) take(mark, at, said);
  }

  void take(Mark mark, std::size_t at, bool said) noexcept {
    const auto index = static_cast<std::size_t>(mark);
    add(said ? turn_.said[index] : turn_.quoted[index]);
    if (!said) return;
    if (mark == Mark::unit_words || mark == Mark::unit_pages) {
      if (number_is_last_) {
        const std::uint32_t words = number_ * (mark == Mark::unit_pages ? words_per_page : 1);
        turn_.output_words = std::max(turn_.output_words, std::min(words, output_words_max));
      }
    } else if (is_task(mark)) {
      if (at < lead_at_) {
        lead_at_ = at;
        turn_.lead = mark;
      }
      if (zones_.tail_begin != 0 && at >= zones_.tail_begin && at < tail_lead_at_) {
        tail_lead_at_ = at;
        tail_lead_ = mark;
      }
    }
  }

  [[nodiscard]] bool is_said(std::size_t at, std::size_t& zone) const noexcept {
    while (zone < zones_.count && zones_.said[zone].end <= at) ++zone;
    return zone < zones_.count && at >= zones_.said[zone].begin;
  }

  [[nodiscard]] std::uint32_t number_value(std::size_t begin, std::size_t end) const noexcept {
    std::uint32_t value = 0;
    for (std::size_t i = begin; i < end && i < begin + 6; ++i) {
      const auto digit = static_cast<unsigned char>(text_[i] - '0');
      if (digit > 9) break;
      value = value * 10 + digit;
    }
    return value;
  }

  const char* text_;
  std::size_t size_;
  const Zones& zones_;
  const Lexicon& words_;
  Turn& turn_;
  std::size_t word_zone_ = 0, character_zone_ = 0;  // cursors: words and characters come in rising order
  std::size_t characters_ = 0;
  WordKey last_;
  Lexical* lexical_;
  std::uint64_t last_hash_ = 0;                                // of the word before; 0: none, or a number
  std::array<std::uint64_t, 16> seen_{}, pairs_seen_{};        // one bit per hash of a word that was said, of two side by side
  std::uint32_t late_numbers_ = 0;        // one bit per word of the question, the last lowest: it is a number
  std::uint32_t number_ = 0;
  bool number_is_last_ = false;
  std::size_t lead_at_ = std::numeric_limits<std::size_t>::max(), tail_lead_at_ = lead_at_;
  Mark tail_lead_ = Mark::none;
};

}  // namespace

void scan(const FoldedText& folded, Turn& turn, Lexical* lexical) noexcept {
  const Zones zones = find_zones(folded, turn);
  WordScan(folded, zones, turn, lexical).run();
  count_punctuation(folded, zones, turn.shape);
}

}  // namespace tollgate
