#include "training/words.hpp"

#include <cmath>

namespace tollgate::training {
namespace {

constexpr int steps_max = 60;
constexpr double near_enough = 1e-6;

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double share_of(const Lexical& words) { return words.count == 0 ? 0 : 1 / std::sqrt(static_cast<double>(words.count)); }

/// (AᵀA + ridge) v
Vector apply(std::span<const WordExample> examples, const Vector& v, double ridge) {
  Vector out(v.size());
  for (std::size_t i = 0; i < v.size(); ++i) out[i] = ridge * v[i];
  for (const WordExample& example : examples) {
    const double share = share_of(*example.words);
    double said = 0;
    for (std::size_t i = 0; i < example.words->count; ++i) said += v[example.words->bucket[i]] * share;
    for (std::size_t i = 0; i < example.words->count; ++i) out[example.words->bucket[i]] += said * share;
  }
  return out;
}

}  // namespace

std::vector<float> fit_words(std::span<const WordExample> examples, float ridge) {
  double mean = 0;
  for (const WordExample& example : examples) mean += static_cast<double>(example.target);
  mean /= static_cast<double>(std::max<std::size_t>(examples.size(), 1));
  Vector x(lexical_buckets), r(lexical_buckets);
  for (const WordExample& example : examples) {
    const double part = (static_cast<double>(example.target) - mean) * share_of(*example.words);
    for (std::size_t i = 0; i < example.words->count; ++i) r[example.words->bucket[i]] += part;
  }
  Vector p = r;
  double left = dot(r, r);
  const double enough = left * near_enough * near_enough;
  for (int step = 0; step < steps_max && left > enough; ++step) {
    const Vector ap = apply(examples, p, static_cast<double>(ridge));
    const double along = left / dot(p, ap);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] += along * p[i];
      r[i] -= along * ap[i];
    }
    const double now = dot(r, r);
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = r[i] + now / left * p[i];
    left = now;
  }
  return {x.begin(), x.end()};
}

float words_say(std::span<const float> weights, const Lexical& words) noexcept {
  if (weights.empty() || words.count == 0) return 0;
  float sum = 0;
  for (std::size_t i = 0; i < words.count; ++i) sum += weights[words.bucket[i]];
  return sum / std::sqrt(static_cast<float>(words.count));
}

}  // namespace tollgate::training
