#pragma once
// Features → the terms that the complexity model reads: each a number, mostly in [0,1], with a name that `explain` can
// print. The table in terms.cpp is the one place that says what a model may look at; a model names its terms, so that a
// table that changed is noticed.
//
//    TermValues values = terms_of(features);
//
// Pure, no heap, any thread.

#include <array>
#include <string_view>

#include "router/features.hpp"

namespace tollgate {

inline constexpr std::size_t term_count = 94;
using TermValues = std::array<float, term_count>;

[[nodiscard]] TermValues terms_of(const Features& features) noexcept;
[[nodiscard]] std::string_view term_name(std::size_t term) noexcept;  ///< printable ASCII
/// The way the term must pull where a model is told to keep to it: 1 up, -1 down, 0 either.
[[nodiscard]] int term_sign(std::size_t term) noexcept;

/// Which term is 1 for nothing but a question: what outcomes of benchmarks can speak for.
[[nodiscard]] std::size_t bare_question_term() noexcept;
/// Which term is 1 for a multiple-choice question.
[[nodiscard]] std::size_t multiple_choice_term() noexcept;
/// Which term is 1 for a word problem.
[[nodiscard]] std::size_t word_problem_term() noexcept;
/// Which term tells how many words a question has, its options apart.
[[nodiscard]] std::size_t question_words_term() noexcept;
/// Which term is 1 where a program is to be written.
[[nodiscard]] std::size_t program_term() noexcept;

}  // namespace tollgate
