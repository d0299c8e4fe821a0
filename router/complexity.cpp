#include "router/complexity.hpp"

#include <algorithm>
#include <bit>
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
  /// How far past the first, as a share of `most`.
  [[nodiscard]] float more(Mark mark, float most) const noexcept {
    return std::clamp(count(mark) - 1, 0.0F, most) / most;
  }
};

float log2_of(float x) noexcept { return std::log2(1 + x); }
float share(double x, double most) noexcept { return static_cast<float>(std::clamp(x / most, 0.0, 1.0)); }
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

bool is_word_problem(const Turn& turn) noexcept {  // "Tom has 3 apples …": several numbers and a question, in words
  return turn.numbers >= 2 && turn.words >= 20 && (turn.questions > 0 || has(turn, Mark::factual)) &&
         turn.lead != Mark::simple && turn.code_fences == 0;
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
  float weight;
  float (*value)(const View&) noexcept;
};

constexpr float bias = -1.55F;  // a request of which nothing is known, such as a bare statement: SIMPLE, near MEDIUM

// Weights are logits at value 1. +1 moves 0.27 to 0.5 or 0.5 to 0.73.
constexpr Term terms[part_count] = {
    // How much is said. Only the instruction counts, never the material, so this saturates at a few hundred words.
    {"length of the instruction", 1.0F, [](const View& v) noexcept { return share(log2_of(v.now.words / 8.0F), 5); }},
    // What is asked for: the first word of a kind says most, more of them make it surer.
    {"asks for a proof or derivation", 2.0F, [](const View& v) noexcept { return v.any(Mark::prove) * v.material; }},
    {"more of a proof", 0.9F, [](const View& v) noexcept { return v.more(Mark::prove, 3) * v.material; }},
    {"asks for reasons or analysis", 0.85F, [](const View& v) noexcept { return v.any(Mark::reason) * v.material; }},
    {"more analysis", 0.9F, [](const View& v) noexcept { return v.more(Mark::reason, 3) * v.material; }},
    {"asks for a comparison", 0.6F, [](const View& v) noexcept { return v.any(Mark::compare) * v.material; }},
    {"more comparison", 0.5F, [](const View& v) noexcept { return v.more(Mark::compare, 3) * v.material; }},
    {"asks for a design or implementation", 0.8F,
     [](const View& v) noexcept { return v.any(Mark::design) * v.material; }},
    {"more design", 0.9F, [](const View& v) noexcept { return v.more(Mark::design, 3) * v.material; }},
    {"asks for the cause of a failure", 0.9F, [](const View& v) noexcept { return v.any(Mark::debug) * v.material; }},
    {"more on the failure", 0.6F, [](const View& v) noexcept { return v.more(Mark::debug, 3) * v.material; }},
    {"asks for an explanation or plan", 0.55F,
     [](const View& v) noexcept { return v.any(Mark::explain) * v.material; }},
    {"asks for a text to be written", 0.3F, [](const View& v) noexcept { return v.any(Mark::create) * v.material; }},
    // Easy work. It outweighs the hard words that the material or the system prompt may hold.
    {"simple work on a text", -1.2F, [](const View& v) noexcept { return v.now.leads_simple ? 1.0F : 0.0F; }},
    {"simple work among other", -0.25F,
     [](const View& v) noexcept { return !v.now.leads_simple && has(v.now, Mark::simple) ? 1.0F : 0.0F; }},
    {"a short question of fact", -0.9F, [](const View& v) noexcept { return is_short_fact(v.now) ? 1.0F : 0.0F; }},
    {"small talk", -1.2F, [](const View& v) noexcept { return is_small_talk(v.now) ? 1.0F : 0.0F; }},
    {"the system prompt sets simple work", -0.8F,
     [](const View& v) noexcept { return system_sets_simple_work(v.all) ? 1.0F : 0.0F; }},
    // Subjects.
    {"code", 0.5F, [](const View& v) noexcept { return v.any(Mark::code) * v.material; }},
    {"more code words", 0.6F, [](const View& v) noexcept { return v.more(Mark::code, 5) * v.material; }},
    {"code given", 0.7F,
     [](const View& v) noexcept {
       return (v.now.code_fences > 0 ? 1.0F : code_density(v.all.now_bytes)) * v.material;
     }},
    {"mathematics", 0.4F, [](const View& v) noexcept { return v.any(Mark::maths) * v.material; }},
    {"more mathematics", 0.8F, [](const View& v) noexcept { return v.more(Mark::maths, 4) * v.material; }},
    {"formulas", 0.9F, [](const View& v) noexcept { return share(v.now.formulas, 4) * v.material; }},
    {"a word problem", 0.7F, [](const View& v) noexcept { return is_word_problem(v.now) ? 1.0F : 0.0F; }},
    {"a multiple-choice question", 0.5F, [](const View& v) noexcept { return v.now.options >= 3 ? 1.0F : 0.0F; }},
    {"subject where detail decides", 1.1F,
     [](const View& v) noexcept { return share(v.count(Mark::expert), 3) * v.material; }},
    // Shape of the task.
    {"constraints", 0.8F,
     [](const View& v) noexcept {
       return share(v.count(Mark::constraint) + v.now.quoted_of(Mark::constraint) * 0.3, 5) * v.material;
     }},
    {"several steps or points", 0.5F,
     [](const View& v) noexcept { return share(v.count(Mark::step) + v.now.list_items * 0.5, 5) * v.material; }},
    {"asks for depth", 0.5F, [](const View& v) noexcept { return v.any(Mark::deep); }},
    {"asks for brevity", -0.4F, [](const View& v) noexcept { return v.any(Mark::brief); }},
    {"long answer wanted", 0.5F, [](const View& v) noexcept { return share(v.now.output_words, 1500); }},
    {"tiny answer wanted", -0.4F,
     [](const View& v) noexcept { return v.all.output_tokens_max > 0 && v.all.output_tokens_max <= 16 ? 1.0F : 0.0F; }},
    // The conversation: a dialogue that went on, tools that must be chosen and read, pictures. Weak, since agents
    // always have them.
    {"dialogue, tools and images", 0.6F,
     [](const View& v) noexcept {
       const Features& f = v.all;
       return share(0.06 * std::min(f.user_messages, 10U) + (f.tools > 0 ? 0.35 : 0) + (f.tool_results > 0 ? 0.35 : 0) +
                        (f.images > 0 ? 0.3 : 0) + (f.json_schema ? 0.1 : 0),
                    1);
     }},
};
static_assert(!terms[part_count - 1].name.empty(), "part_count is the number of terms");

View view_of(const Features& features) noexcept {
  float material = 1;
  if (features.now.leads_simple) {
    material = features.now.words_quoted >= long_material_words ? 0.1F : 0.3F;
  } else if (system_sets_simple_work(features)) {
    material = 0.3F;
  }
  return {features, features.now, carry_of(features), material};
}

}  // namespace

std::array<Part, part_count> parts_of(const Features& features) noexcept {
  const View view = view_of(features);
  std::array<Part, part_count> parts;
  for (std::size_t i = 0; i < part_count; ++i) parts[i] = {terms[i].name, terms[i].value(view), terms[i].weight};
  return parts;
}

float score_of(const Features& features) noexcept {
  const View view = view_of(features);
  float logit = bias;
  for (const Term& term : terms) logit += term.weight * term.value(view);
  return 1 / (1 + std::exp(-logit));
}

Tier tier_of(float score, const TierBounds& bounds) noexcept {
  // Bounds are compared as floats, so that a score that equals a bound as written reaches it.
  if (score >= static_cast<float>(bounds.reasoning)) return Tier::reasoning;
  if (score >= static_cast<float>(bounds.complex)) return Tier::complex;
  return score >= static_cast<float>(bounds.medium) ? Tier::medium : Tier::simple;
}

Complexity classify(const ChatView& chat, const TierBounds& bounds) noexcept {
  const float score = score_of(features_of(chat));
  return {score, tier_of(score, bounds)};
}

}  // namespace tollgate
