#include "router/terms.hpp"

#include <algorithm>
#include <cmath>

namespace tollgate {
namespace {

constexpr unsigned long_material_words = 60;           // quoted words from which simple work has its material with it
constexpr std::uint64_t system_task_bytes_max = 2000;  // longer system prompts are an agent's, not a task

/// What the terms read: the features, and what several terms share.
struct View {
  const Features& all;
  const Turn& now;
  float
      carry;  ///< share of the turn before that still holds: a bare "why?" or "continue" is as hard as what it follows
  float material;  ///< discount on hard words when the task itself is simple work: they belong to the text that is
                   ///< worked on

  [[nodiscard]] float count(Mark mark) const noexcept {
    return std::max(static_cast<float>(now.said_of(mark)), carry * static_cast<float>(all.before.said_of(mark)));
  }
  /// 1 when a word of this mark is there, before discounts.
  [[nodiscard]] float any(Mark mark) const noexcept { return std::min(count(mark), 1.0F); }
  [[nodiscard]] const Shape& shape() const noexcept { return now.shape; }
  [[nodiscard]] float several_of(Mark mark, double doublings) const noexcept {
    return static_cast<float>(std::clamp(std::log2(1 + static_cast<double>(count(mark))) / doublings, 0.0, 1.0)) *
           material;
  }
  /// Words of this mark as a share of all words of the instruction, where `most` is 1.
  [[nodiscard]] float density(Mark mark, double most) const noexcept {
    return now.words == 0 ? 0 : static_cast<float>(std::min(now.said_of(mark) / (most * now.words), 1.0)) * material;
  }
  /// How far past the first, as a share of `most`.
  [[nodiscard]] float more(Mark mark, float most) const noexcept {
    return std::clamp(count(mark) - 1, 0.0F, most) / most;
  }
};

float log2_of(float x) noexcept { return std::log2(1 + x); }
float share(double x, double most) noexcept { return static_cast<float>(std::clamp(x / most, 0.0, 1.0)); }
float ratio(double part, double whole) noexcept { return whole > 0 ? static_cast<float>(part / whole) : 0; }
float several(unsigned count, double doublings) noexcept {
  return share(log2_of(static_cast<float>(count)), doublings);
}
bool has(const Turn& turn, Mark mark) noexcept { return turn.said_of(mark) > 0; }

bool asks_for_work(const Turn& turn) noexcept {
  return has(turn, Mark::prove) || has(turn, Mark::reason) || has(turn, Mark::compare) || has(turn, Mark::design) ||
         has(turn, Mark::debug);
}

bool is_small_talk(const Turn& turn) noexcept {
  return has(turn, Mark::small_talk) && turn.words <= 12 && turn.lead == Mark::none && !has(turn, Mark::code) &&
         !has(turn, Mark::maths) && turn.code_fences == 0;
}

bool is_short_fact(const Turn& turn) noexcept {
  return has(turn, Mark::factual) && turn.words <= 18 && !asks_for_work(turn) && !has(turn, Mark::expert) &&
         turn.formulas == 0 && turn.code_fences == 0 && turn.said_of(Mark::maths) < 2;
}

/// "Tom has 3 apples …": several amounts and a question. Where amounts stand in words ("half", "twice", "each"), nothing else
/// may be asked for: such words stand everywhere.
bool is_word_problem(const Turn& turn) noexcept {
  if (turn.lead == Mark::simple || turn.code_fences > 0) return false;
  constexpr unsigned words_min = 20, words_min_of_many = 12, amounts_min = 2, many_amounts = 3;
  const bool asks = turn.questions > 0 || has(turn, Mark::factual);
  if (turn.numbers >= amounts_min && turn.words >= words_min && asks) return true;
  const bool only_asks = (turn.lead == Mark::none || turn.lead == Mark::factual) && !asks_for_work(turn) && turn.words_quoted == 0;
  const unsigned amounts = turn.numbers + turn.said_of(Mark::quantity);
  return only_asks && turn.numbers > 0 && (asks || has(turn, Mark::calculate)) && amounts >= amounts_min &&
         turn.words >= (amounts >= many_amounts ? words_min_of_many : words_min);
}

/// Nothing but a question: no task is named, nothing comes with it, nothing went before. Multiple choice and word
/// problems are questions whatever words stand in them.
bool is_bare_question(const Features& all) noexcept {
  const Turn& now = all.now;
  const bool alone = all.system.bytes == 0 && all.before.bytes == 0 && all.tools == 0 && all.tool_results == 0;
  constexpr unsigned options_min = 3, material_max = 30;
  return alone && now.code_fences == 0 &&
         (now.options >= options_min || is_word_problem(now) ||
          (now.lead == Mark::none && now.words_quoted < material_max && !is_small_talk(now)));
}

/// "You are a translator. Translate …": then the user's turn is the text to be worked on.
bool system_sets_simple_work(const Features& all) noexcept {
  return all.system.leads_simple && all.system.bytes < system_task_bytes_max && !asks_for_work(all.system);
}

float carry_of(const Features& all) noexcept {
  const Turn& now = all.now;
  if (all.before.bytes == 0 || is_small_talk(now)) return 0;
  if (now.leads_simple || is_short_fact(now)) return 0.1F;
  return now.words <= 12 && now.code_fences == 0 ? 0.7F : 0.15F;
}

/// Code outside fences shows by its punctuation.
float code_density(const ByteCounts& counts) noexcept {
  if (counts.bytes < 80) return 0;
  return share(static_cast<double>(counts.code_marks) / counts.bytes, 0.03);
}

struct Term {
  std::string_view name;
  int sign;  ///< that a trained weight may have; 0: either
  float (*value)(const View&) noexcept;
};

constexpr Term terms[term_count] = {
    // How much is said. Only the instruction counts, never the material, so this saturates at a few hundred words.
    {"length of the instruction", 1, [](const View& v) noexcept { return share(log2_of(v.now.words / 8.0F), 5); }},
    // What is asked for: the first word of a kind says most, more of them make it surer.
    {"asks for a proof or derivation", 1, [](const View& v) noexcept { return v.any(Mark::prove) * v.material; }},
    {"more of a proof", 1, [](const View& v) noexcept { return v.more(Mark::prove, 3) * v.material; }},
    {"asks for reasons or analysis", 1, [](const View& v) noexcept { return v.any(Mark::reason) * v.material; }},
    {"more analysis", 1, [](const View& v) noexcept { return v.more(Mark::reason, 3) * v.material; }},
    {"asks for a comparison", 1, [](const View& v) noexcept { return v.any(Mark::compare) * v.material; }},
    {"more comparison", 1, [](const View& v) noexcept { return v.more(Mark::compare, 3) * v.material; }},
    {"asks for a design or implementation", 1, [](const View& v) noexcept { return v.any(Mark::design) * v.material; }},
    {"more design", 1, [](const View& v) noexcept { return v.more(Mark::design, 3) * v.material; }},
    {"asks for the cause of a failure", 1, [](const View& v) noexcept { return v.any(Mark::debug) * v.material; }},
    {"more on the failure", 1, [](const View& v) noexcept { return v.more(Mark::debug, 3) * v.material; }},
    {"asks for an explanation or plan", 1, [](const View& v) noexcept { return v.any(Mark::explain) * v.material; }},
    {"asks for a text to be written", 1, [](const View& v) noexcept { return v.any(Mark::create) * v.material; }},
    // Easy work. It outweighs the hard words that the material or the system prompt may hold.
    {"simple work on a text", -1, [](const View& v) noexcept { return v.now.leads_simple ? 1.0F : 0.0F; }},
    {"simple work among other", -1,
     [](const View& v) noexcept { return !v.now.leads_simple && has(v.now, Mark::simple) ? 1.0F : 0.0F; }},
    {"a short question of fact", -1, [](const View& v) noexcept { return is_short_fact(v.now) ? 1.0F : 0.0F; }},
    {"small talk", -1, [](const View& v) noexcept { return is_small_talk(v.now) ? 1.0F : 0.0F; }},
    {"the system prompt sets simple work", -1,
     [](const View& v) noexcept { return system_sets_simple_work(v.all) ? 1.0F : 0.0F; }},
    // Subjects.
    {"code", 1, [](const View& v) noexcept { return v.any(Mark::code) * v.material; }},
    {"more code words", 1, [](const View& v) noexcept { return v.more(Mark::code, 5) * v.material; }},
    {"code given", 1,
     [](const View& v) noexcept {
       return (v.now.code_fences > 0 ? 1.0F : code_density(v.all.now_bytes)) * v.material;
     }},
    {"mathematics", 1, [](const View& v) noexcept { return v.any(Mark::maths) * v.material; }},
    {"more mathematics", 1, [](const View& v) noexcept { return v.more(Mark::maths, 4) * v.material; }},
    {"formulas", 1, [](const View& v) noexcept { return share(v.now.formulas, 4) * v.material; }},
    {"a word problem", 1, [](const View& v) noexcept { return is_word_problem(v.now) ? 1.0F : 0.0F; }},
    {"a multiple-choice question", 1, [](const View& v) noexcept { return v.now.options >= 3 ? 1.0F : 0.0F; }},
    {"subject where detail decides", 1,
     [](const View& v) noexcept { return share(v.count(Mark::expert), 3) * v.material; }},
    // Shape of the task.
    {"constraints", 1,
     [](const View& v) noexcept {
       return share(v.count(Mark::constraint) + v.now.quoted_of(Mark::constraint) * 0.3, 5) * v.material;
     }},
    {"several steps or points", 1,
     [](const View& v) noexcept { return share(v.count(Mark::step) + v.now.list_items * 0.5, 5) * v.material; }},
    {"asks for depth", 1, [](const View& v) noexcept { return v.any(Mark::deep); }},
    {"asks for brevity", -1, [](const View& v) noexcept { return v.any(Mark::brief); }},
    {"long answer wanted", 1, [](const View& v) noexcept { return share(v.now.output_words, 1500); }},
    {"tiny answer wanted", -1,
     [](const View& v) noexcept { return v.all.output_tokens_max > 0 && v.all.output_tokens_max <= 16 ? 1.0F : 0.0F; }},
    // The conversation: a dialogue that went on, tools that must be chosen and read, pictures. Weak, since agents
    // always have them.
    {"dialogue, tools and images", 1,
     [](const View& v) noexcept {
       const Features& f = v.all;
       return share(0.06 * std::min(f.user_messages, 10U) + (f.tools > 0 ? 0.35 : 0) + (f.tool_results > 0 ? 0.35 : 0) +
                        (f.images > 0 ? 0.3 : 0) + (f.json_schema ? 0.1 : 0),
                    1);
     }},
    // How it is written. Long sentences, numbers and symbols speak for work, short questions for looking up.
    {"words in the question", 1,
     [](const View& v) noexcept { return share(log2_of(v.shape().question_words / 4.0F), 6); }},
    {"words per sentence", 1,
     [](const View& v) noexcept {
       return share(ratio(v.shape().question_words, std::max<unsigned>(v.shape().sentences, 1)), 40);
     }},
    {"sentences", 1, [](const View& v) noexcept { return several(v.shape().sentences, 4); }},
    {"numbers", 1, [](const View& v) noexcept { return several(v.now.numbers, 4) * v.material; }},
    {"density of numbers", 1,
     [](const View& v) noexcept { return share(ratio(v.now.numbers, v.now.words), 0.3) * v.material; }},
    {"figures per number", 1,
     [](const View& v) noexcept { return share(ratio(v.shape().figures, v.now.numbers), 5) * v.material; }},
    {"decimals", 1, [](const View& v) noexcept { return several(v.shape().decimals, 3) * v.material; }},
    {"numbers near the end", -1, [](const View& v) noexcept { return share(v.shape().late_numbers, 3); }},
    {"operators", 1, [](const View& v) noexcept { return several(v.shape().operators, 5) * v.material; }},
    {"brackets", 1, [](const View& v) noexcept { return several(v.shape().brackets, 4) * v.material; }},
    {"commas", 1, [](const View& v) noexcept { return several(v.shape().commas, 4) * v.material; }},
    {"colons", 0, [](const View& v) noexcept { return several(v.shape().colons, 3); }},
    {"quotes", 0, [](const View& v) noexcept { return several(v.shape().quotes, 4); }},
    {"money and percent", 0, [](const View& v) noexcept { return several(v.shape().money, 3); }},
    {"blanks to fill in", 0, [](const View& v) noexcept { return v.shape().blanks >= 2 ? 1.0F : 0.0F; }},
    {"question marks", -1, [](const View& v) noexcept { return share(v.now.questions, 2); }},
    {"density of question words", -1,
     [](const View& v) noexcept { return share(ratio(v.now.said_of(Mark::factual), v.now.words), 0.25); }},
    {"variety of words", -1,
     [](const View& v) noexcept {
       return v.shape().question_words < 8 ? 1.0F : ratio(v.shape().distinct_words, v.shape().question_words);
     }},
    {"long words", 0, [](const View& v) noexcept { return share(ratio(v.shape().long_words, v.now.words), 0.4); }},
    {"letters per word", 0, [](const View& v) noexcept { return share(ratio(v.shape().letters, v.now.words) - 3, 5); }},
    {"options that share words", 1,
     [](const View& v) noexcept { return ratio(v.shape().shared_words, v.shape().option_words); }},
    {"numbers among the options", 1,
     [](const View& v) noexcept { return ratio(v.shape().option_numbers, v.shape().option_words); }},
    {"words per option", 0,
     [](const View& v) noexcept { return share(log2_of(ratio(v.shape().option_words, v.now.options)), 5); }},
    {"number of options", 0, [](const View& v) noexcept { return share(v.now.options, 10); }},
    // Words by kind, as counts and as a share of all words.
    {"quantities", 1, [](const View& v) noexcept { return v.several_of(Mark::quantity, 4); }},
    {"density of quantities", 1, [](const View& v) noexcept { return v.density(Mark::quantity, 0.15); }},
    {"conditions", 1, [](const View& v) noexcept { return v.several_of(Mark::condition, 3); }},
    {"density of conditions", 1, [](const View& v) noexcept { return v.density(Mark::condition, 0.1); }},
    {"negations", 1, [](const View& v) noexcept { return v.several_of(Mark::negation, 3); }},
    {"people who act", 0, [](const View& v) noexcept { return v.several_of(Mark::person, 4); }},
    {"values to be worked out", 1, [](const View& v) noexcept { return v.several_of(Mark::calculate, 3); }},
    {"density of values", 1, [](const View& v) noexcept { return v.density(Mark::calculate, 0.15); }},
    {"science", 1, [](const View& v) noexcept { return v.several_of(Mark::science, 3); }},
    {"density of science", 1, [](const View& v) noexcept { return v.density(Mark::science, 0.15); }},
    {"people, places and works", -1, [](const View& v) noexcept { return v.several_of(Mark::culture, 3); }},
    {"density of people, places and works", -1, [](const View& v) noexcept { return v.density(Mark::culture, 0.15); }},
    {"statements to be judged", 1, [](const View& v) noexcept { return v.several_of(Mark::statement, 4); }},
    {"density of code words", 1, [](const View& v) noexcept { return v.density(Mark::code, 0.2); }},
    {"density of mathematics", 1, [](const View& v) noexcept { return v.density(Mark::maths, 0.15); }},
    {"a program is to be written", 1,
     [](const View& v) noexcept {
       return std::min(v.any(Mark::code), std::max(v.any(Mark::create), v.any(Mark::design))) * v.material;
     }},
    {"material that comes with it", 0,
     [](const View& v) noexcept { return share(log2_of(v.now.words_quoted / 32.0F), 6); }},
    {"follows an earlier turn", 0, [](const View& v) noexcept { return v.all.before.bytes > 0 ? 1.0F : 0.0F; }},
    {"comes from an agent", 0,
     [](const View& v) noexcept { return v.all.tools > 0 || v.all.tool_results > 0 ? 1.0F : 0.0F; }},
    {"long system prompt", 0,
     [](const View& v) noexcept { return share(log2_of(static_cast<float>(v.all.system.bytes) / 256.0F), 6); }},
    // What else tells kinds of requests apart.
    {"messages", 0, [](const View& v) noexcept { return several(v.all.messages, 6); }},
    {"tools offered", 0, [](const View& v) noexcept { return several(v.all.tools, 5); }},
    {"size of the turn", 0,
     [](const View& v) noexcept {
       return share(log2_of(static_cast<float>(v.now.words + v.now.words_quoted) / 8.0F), 6);
     }},
    {"Chinese or Japanese", 0,
     [](const View& v) noexcept { return share(ratio(v.shape().characters, 2.0 * v.now.words), 1); }},
    {"structured answer wanted", 0,
     [](const View& v) noexcept { return v.all.json_output || v.all.json_schema ? 1.0F : 0.0F; }},
    {"code marks", 0, [](const View& v) noexcept { return code_density(v.all.now_bytes); }},
    {"list items", 0, [](const View& v) noexcept { return several(v.now.list_items, 4); }},
    {"a bare question", 0, [](const View& v) noexcept { return is_bare_question(v.all) ? 1.0F : 0.0F; }},
    {"no task named", 0, [](const View& v) noexcept { return v.now.lead == Mark::none ? 1.0F : 0.0F; }},
    // What kinds of work have in common: nothing may be left open, one thing is weighed against another, and how much is
    // asked for at once.
    {"asks for certainty", 1, [](const View& v) noexcept { return v.any(Mark::certain) * v.material; }},
    {"more certainty", 1, [](const View& v) noexcept { return v.more(Mark::certain, 3) * v.material; }},
    {"risks, assumptions and criteria", 1, [](const View& v) noexcept { return v.several_of(Mark::weigh, 3); }},
    {"kinds of work", 1,
     [](const View& v) noexcept {
       float kinds = 0;
       for (const Mark mark : {Mark::prove, Mark::reason, Mark::compare, Mark::design, Mark::debug, Mark::explain,
                               Mark::certain, Mark::weigh})
         kinds += v.any(mark);
       return kinds / 6 * v.material;
     }},
    {"words that ask for work", 1,
     [](const View& v) noexcept {
       float words = 0;
       for (const Mark mark : {Mark::prove, Mark::reason, Mark::compare, Mark::design, Mark::debug, Mark::explain,
                               Mark::create, Mark::weigh})
         words += v.count(mark);
       return share(log2_of(words), 4) * v.material;
     }},
    {"question words", 0, [](const View& v) noexcept { return several(v.now.said_of(Mark::factual), 3); }},
    {"rules in the system prompt", 0,
     [](const View& v) noexcept { return several(v.all.system.said_of(Mark::constraint), 4); }},
};
static_assert(!terms[term_count - 1].name.empty(), "term_count is the number of terms");

View view_of(const Features& features) noexcept {
  float material = 1;
  if (features.now.leads_simple) {
    material = features.now.words_quoted >= long_material_words ? 0.1F : 0.3F;
  } else if (system_sets_simple_work(features)) {
    material = 0.3F;
  }
  return {features, features.now, carry_of(features), material};
}

constexpr std::size_t term_of(std::string_view name) {
  for (std::size_t i = 0; i < term_count; ++i) {
    if (terms[i].name == name) return i;
  }
  throw "no term has this name";  // at compile time: an error; never at run time
}

}  // namespace

std::string_view term_name(std::size_t term) noexcept { return terms[term].name; }
int term_sign(std::size_t term) noexcept { return terms[term].sign; }

std::size_t bare_question_term() noexcept {
  constexpr std::size_t term = term_of("a bare question");
  return term;
}

std::size_t word_problem_term() noexcept {
  constexpr std::size_t term = term_of("a word problem");
  return term;
}

std::size_t multiple_choice_term() noexcept {
  constexpr std::size_t term = term_of("a multiple-choice question");
  return term;
}

std::size_t question_words_term() noexcept {
  constexpr std::size_t term = term_of("words in the question");
  return term;
}

std::size_t program_term() noexcept {
  constexpr std::size_t term = term_of("a program is to be written");
  return term;
}

TermValues terms_of(const Features& features) noexcept {
  const View view = view_of(features);
  TermValues values;
  for (std::size_t i = 0; i < term_count; ++i) values[i] = terms[i].value(view);
  return values;
}

}  // namespace tollgate
