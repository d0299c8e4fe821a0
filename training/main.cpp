// tollgate-train: makes router/model.json, the complexity model. docs/routing/complexity.md tells how to use it.
//
//    tollgate-train --requests training/requests.jsonl --outcomes FILE.csv.gz … --out router/model.json
//    tollgate-train … --evaluate        # writes nothing; trains without what it judges, again and again
//    tollgate-train … --evaluate --fold-seeds 5        # with five ways to deal out the folds: mean and spread

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>

#include "training/measure.hpp"
#include "training/recipe.hpp"

namespace tollgate::training {
namespace {

struct Options {
  std::string requests = "training/requests.jsonl", out;
  std::vector<std::string> outcomes;
  Recipe recipe;
  bool evaluate = false;
  std::string judge = "all";
  std::size_t fold_seeds = 1;
};

/// How a figure comes out with folds dealt in several ways.
class Spread {
 public:
  void add(double value) { values_.push_back(value); }
  void print(const std::string& name, const char* how, const char* what) const {
    if (values_.size() < 2) return;
    double mean = 0, squares = 0;
    for (const double value : values_) mean += value / static_cast<double>(values_.size());
    for (const double value : values_) squares += (value - mean) * (value - mean);
    const auto [low, high] = std::minmax_element(values_.begin(), values_.end());
    std::printf("%-24s %-22s %s over %zu ways to deal the folds: mean %.4f, deviation %.4f, from %.4f to %.4f\n", name.c_str(), how, what,
                values_.size(), mean, std::sqrt(squares / static_cast<double>(values_.size() - 1)), *low, *high);
    std::fflush(stdout);
  }

 private:
  std::vector<double> values_;
};

/// Seed 0 deals as fold_of does; others otherwise.
std::size_t dealt(const std::string& key, std::size_t seed, std::size_t folds) {
  return fold_of(seed == 0 ? key : std::to_string(seed) + " " + key, folds);
}

float score_of(const Model& model, const Seen& seen) { return model.score(seen.terms, seen.words); }
float length_of(const Outcome& row) { return static_cast<float>(row.seen.characters); }

double print_curve(const std::string& name, const char* how, const std::vector<Scored>& rows) {
  const std::optional<Curve> curve = curve_of(rows);
  if (!curve) {
    std::printf("%-24s %-22s n=%zu no gap between weak and strong\n", name.c_str(), how, rows.size());
    return 0;
  }
  std::printf("%-24s %-22s n=%zu APGR=%.3f CPT50=%.1f%% CPT80=%.1f%%\n", name.c_str(), how, rows.size(), curve->apgr,
              curve->cpt50, curve->cpt80);
  std::fflush(stdout);
  return curve->apgr;
}

std::vector<Scored> scored(const std::vector<const Outcome*>& rows, const std::function<float(const Outcome&)>& score) {
  std::vector<Scored> out;
  for (const Outcome* row : rows) out.push_back({score(*row), row->weak, row->strong});
  return out;
}

/// Each source judged by a model that never saw it; sources of several groups also by models that never saw the group.
void judge_sources(const Material& all, const std::vector<Source>& sources, const Recipe& recipe, std::size_t seeds, bool by_group) {
  constexpr std::size_t folds = 10;
  for (std::size_t s = 0; s < sources.size(); ++s) {
    const std::string& name = sources[s].name;
    print_curve(name, "length of the prompt", scored(all.sources[s], length_of));
    Material others = all;
    others.sources.erase(others.sources.begin() + static_cast<std::ptrdiff_t>(s));
    const Model without = train(others, recipe, learn_outcomes(others, recipe));
    print_curve(name, "source left out",
                scored(all.sources[s], [&](const Outcome& row) { return score_of(without, row.seen); }));
    if (!by_group || sources[s].rows.front().group == sources[s].rows.back().group) continue;
    Spread spread;
    for (std::size_t seed = 0; seed < seeds; ++seed) {
      std::vector<Scored> judged;
      for (std::size_t fold = 0; fold < folds; ++fold) {
        const auto is_here = [&](const Outcome* row) { return dealt(row->group, seed, folds) == fold; };
        Material some = all;
        std::erase_if(some.sources[s], is_here);
        const Model model = train(some, recipe, learn_outcomes(some, recipe));
        for (const Outcome* row : all.sources[s]) {
          if (is_here(row)) judged.push_back({score_of(model, row->seen), row->weak, row->strong});
        }
      }
      spread.add(print_curve(name, "groups left out", judged));
    }
    spread.print(name, "groups left out", "APGR");
  }
}

using FoldOf = std::function<std::size_t(const Labelled&)>;

/// As many kinds in every fold; seed 0 takes them by name, others in another order.
FoldOf fold_of_kind(const Material& all, std::size_t folds, std::size_t seed) {
  constexpr std::size_t many = 1'000'003;
  std::map<std::string, std::size_t> number;
  for (const Labelled* row : all.labelled) number[row->kind] = 0;
  std::vector<std::pair<std::size_t, std::string>> order;
  for (const auto& [kind, at] : number) order.emplace_back(seed == 0 ? 0 : dealt(kind, seed, many), kind);
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) number[order[i].second] = i % folds;
  return [number](const Labelled& row) { return number.at(row.kind); };
}

/// Labelled requests judged by models that never saw any row of the same fold.
double judge_labelled(const Material& all, const char* how, std::size_t folds, const Recipe& recipe,
                      const FoldOf& fold_of_row) {
  constexpr Borders tiers = {0.25F, 0.5F, 0.75F};
  const Outcomes outcomes = learn_outcomes(all, recipe);
  std::vector<TierScore> judged;
  std::map<std::string, std::vector<TierScore>> by_language;
  std::array<std::vector<TierScore>, head_count> by_head;
  for (std::size_t fold = 0; fold < folds; ++fold) {
    Material some = all;
    std::erase_if(some.labelled, [&](const Labelled* row) { return fold_of_row(*row) == fold; });
    if (some.labelled.size() == all.labelled.size()) continue;
    const Model model = train(some, recipe, outcomes);
    for (const Labelled* row : all.labelled) {
      if (fold_of_row(*row) != fold) continue;
      judged.push_back({score_of(model, row->seen), row->tier});
      by_language[row->language].push_back(judged.back());
      by_head[static_cast<std::size_t>(head_for(row->seen.terms))].push_back(judged.back());
    }
  }
  const Agreement agreement = agreement_of(judged, tiers);
  std::printf("%-24s %-22s n=%zu exact=%.1f%% within one=%.1f%% recall S/M/C/R=%.0f/%.0f/%.0f/%.0f%%;",
              "labelled requests", how, judged.size(), 100 * agreement.exact, 100 * agreement.within_one,
              100 * agreement.recall[0], 100 * agreement.recall[1], 100 * agreement.recall[2],
              100 * agreement.recall[3]);
  for (const auto& [language, rows] : by_language)
    std::printf(" %s %.0f%%", language.c_str(), 100 * agreement_of(rows, tiers).exact);
  const auto exact_of = [&](HeadOf head) { return 100 * agreement_of(by_head[static_cast<std::size_t>(head)], tiers).exact; };
  std::printf("; word problems %.1f%%, other questions %.1f%%, others %.1f%%\n", exact_of(HeadOf::word_problem), exact_of(HeadOf::question), exact_of(HeadOf::other));
  std::fflush(stdout);
  return agreement.exact;
}

void judge_requests(const Material& all, const Recipe& recipe, std::size_t seeds, bool only_kinds) {
  constexpr std::size_t request_folds = 5, kind_folds = 13;
  Spread requests, kinds;
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    if (!only_kinds) requests.add(judge_labelled(all, "requests left out", request_folds, recipe, [seed](const Labelled& row) {
      return dealt(std::to_string(row.core), seed, request_folds);
    }));
    kinds.add(judge_labelled(all, "kinds left out", kind_folds, recipe, fold_of_kind(all, kind_folds, seed)));
  }
  requests.print("labelled requests", "requests left out", "exact");
  kinds.print("labelled requests", "kinds left out", "exact");
}

int fail(const Error& error) {
  std::fprintf(stderr, "tollgate-train: %s\n", error.message.c_str());
  return 3;
}

int run(const Options& options) {
  const Result<std::vector<Labelled>> labelled = read_labelled(options.requests);
  if (!labelled) return fail(labelled.error());
  std::vector<Source> sources;
  for (const std::string& path : options.outcomes) {
    Result<Source> source = read_source(path);
    if (!source) return fail(source.error());
    sources.push_back(std::move(source).value());
  }
  const Material all = all_of(labelled.value(), sources);
  if (options.evaluate) {
    const std::string& judge = options.judge;
    if (judge == "all" || judge == "outcomes" || judge == "sources") judge_sources(all, sources, options.recipe, options.fold_seeds, judge != "sources");
    if (judge == "outcomes" || judge == "sources") return 0;
    judge_requests(all, options.recipe, options.fold_seeds, judge == "kinds");
    return 0;
  }
  std::ofstream file(options.out, std::ios::binary);
  const std::string text = train(all, options.recipe, learn_outcomes(all, options.recipe)).text();
  if (!(file << text << std::flush)) return fail({Fault::io_failed, options.out + ": cannot be written"});
  std::printf("%s: %zu bytes, from %zu requests and %zu sources of outcomes\n", options.out.c_str(), text.size(),
              all.labelled.size(), sources.size());
  return 0;
}

}  // namespace
}  // namespace tollgate::training

int main(int argc, char** argv) {
  using tollgate::training::Hearing;
  using tollgate::training::Options;
  using tollgate::training::Tiers;
  CLI::App app("Trains the complexity model that tollgate embeds (router/model.json)", "tollgate-train");
  Options options;
  app.add_option("--requests", options.requests, "Labelled requests, as training/generate.py writes them")
      ->capture_default_str();
  app.add_option("--outcomes", options.outcomes,
                 "CSV files with the columns prompt, group, weak_ok, strong_ok; may be gzip");
  auto* out = app.add_option("--out", options.out, "The model to be written");
  auto* evaluate =
      app.add_flag("--evaluate", options.evaluate, "Write nothing: judge models by what they were not trained on");
  out->excludes(evaluate);
  app.add_option("--judge", options.judge, "What --evaluate judges; sources: outcomes with their source left out alone, kinds: requests with their kind left out alone")
      ->check(CLI::IsMember({"all", "requests", "kinds", "outcomes", "sources"}))
      ->needs(evaluate)
      ->capture_default_str();
  app.add_option("--fold-seeds", options.fold_seeds, "In how many ways --evaluate deals out the folds")
      ->check(CLI::Range(1, 100))
      ->needs(evaluate)
      ->capture_default_str();
  const auto hearing = [&app](const std::string& name, const std::string& of, Hearing& heard) {
    app.add_option("--" + name + "-spread", heard.spread, "How much outcomes say of " + of + ", in tiers")
        ->capture_default_str();
    app.add_option("--" + name + "-gain", heard.gain_share, "Share in it of 'strong is better' against 'weak fails'")
        ->capture_default_str();
    app.add_option("--" + name + "-length", heard.length_share, "Share in it of the number of words")
        ->capture_default_str();
    app.add_option("--" + name + "-strong", heard.strong_share, "How much 'the strong one fails too' counts against")
        ->capture_default_str();
  };
  hearing("choice", "multiple choice", options.recipe.choice);
  hearing("problem", "word problems", options.recipe.problem);
  hearing("question", "other questions", options.recipe.question);
  const auto tiers = [&app](const std::string& name, const std::string& of, Tiers& heard) {
    app.add_option("--" + name + "-tiers", heard.spread, "How much labelled requests say of " + of)->capture_default_str();
    app.add_option("--" + name + "-signed", heard.signed_share, "Share in it of trees that keep to signs")->capture_default_str();
  };
  tiers("problem", "word problems", options.recipe.problem_tiers);
  tiers("question", "other questions", options.recipe.question_tiers);
  app.add_option("--program-tiers", options.recipe.program_tiers,
                 "How much harder a program to be written is, in tiers")
      ->capture_default_str();
  app.add_option("--others-share", options.recipe.others_share,
                 "Weight of other requests where bare questions are learned")
      ->capture_default_str();
  app.add_option("--word-ridge", options.recipe.word_ridge, "How hard word weights are held down")
      ->capture_default_str();
  app.add_option("--word-share", options.recipe.word_share, "How much of what words say is taken")
      ->capture_default_str();
  app.add_option("--request-rounds", options.recipe.request_rounds, "Trees for the labelled requests")
      ->capture_default_str();
  app.add_option("--choice-bags", options.recipe.choice_bags, "Models of the outcomes that are averaged for multiple choice")
      ->check(CLI::Range(1, 10))
      ->capture_default_str();
  app.add_option("--request-bags", options.recipe.request_bags, "Models of the labelled requests that are averaged")
      ->check(CLI::Range(1, 10))
      ->capture_default_str();
  app.add_option("--outcome-rounds", options.recipe.outcome_rounds, "Trees for each target of the outcomes")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (options.out.empty() && !options.evaluate) {
    std::fprintf(stderr, "tollgate-train: --out FILE or --evaluate, one of the two\n");
    return 2;
  }
  return tollgate::training::run(options);
}
