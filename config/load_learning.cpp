// The sections complexity, format_checks, shadow and feedback: what becomes known of the answers the gateway gave.
#include <fmt/format.h>

#include <algorithm>

#include "config/draft.hpp"
#include "config/spelling.hpp"

namespace tollgate {
namespace {

/// A target that answers chat requests, or a finding.
std::optional<std::size_t> chat_target(const Cursor& place, const Config& config) {
  const auto id = place.text();
  if (!id) return std::nullopt;
  const Target* const target = config.find_target(*id);
  if (target == nullptr) {
    std::vector<std::string> known;
    for (const Target& each : config.targets) known.emplace_back(text(each.id));
    place.report(fmt::format("there is no target '{}'{}", *id, suggestion_for(*id, known)));
    return std::nullopt;
  }
  const std::vector<Surface>& serves = target->surfaces;
  if (!serves.empty() && std::find(serves.begin(), serves.end(), Surface::chat) == serves.end()) {
    place.report(fmt::format("'{}' does not serve chat; name a target that does", *id));
    return std::nullopt;
  }
  return static_cast<std::size_t>(target - config.targets.data());
}

/// Somebody's answers must be there to be evaluated.
bool has_self_hosted(const Config& config, std::size_t strong) {
  return std::any_of(config.targets.begin(), config.targets.end(), [&](const Target& target) {
    const Backend& backend = config.backend_of(target);
    return (backend.pool || backend.trust == Trust::internal) && target.id != config.targets[strong].id;
  });
}

void load_shadow(const Cursor& place, Config& config) {
  MapReader section(place);
  ShadowConfig read;
  const Cursor share = section.at("share"), target = section.at("target"), judge = section.at("judge");
  if (share.present()) read.share = read_share(share).value_or(0);
  const auto strong = target.present() ? chat_target(target, config) : std::nullopt;
  const auto grader = judge.present() ? chat_target(judge, config) : std::nullopt;
  section.integer("concurrency_max", read.concurrency_max, 1, 1000);
  section.integer("waiting_max", read.waiting_max, 0, 10'000);
  section.integer("judge_output_tokens", read.judge_output_tokens, 16, 100'000);
  if (read.share > 0 && (!target.present() || !judge.present())) {
    place.report(fmt::format("a share above 0 needs {}: the target that answers again, and the one that judges",
                             !target.present() ? "target" : "judge"));
    return;
  }
  if (!strong || !grader) return;
  if (read.share > 0 && !has_self_hosted(config, *strong)) {
    target.report(
        "no other target is self-hosted (its backend has a pool, or trust: internal), so there are no answers to "
        "evaluate");
    return;
  }
  read.target = *strong;
  read.judge = *grader;
  config.shadow = read;
}

}  // namespace

void load_learning(MapReader& root, Draft& draft) {
  {
    MapReader section(root.at("complexity"));
    const Cursor model = section.at("model");
    if (model.present()) {
      draft.config.complexity.model = model.text().value_or("");
      draft.config.complexity.model_line = model.place().line;
      draft.config.complexity.model_column = model.place().column;
    }
    section.text("correction", draft.config.complexity.correction);
  }
  {
    MapReader section(root.at("format_checks"));
    const Cursor share = section.at("share");
    if (share.present()) draft.config.format_checks.share = read_share(share).value_or(0);
  }
  load_shadow(root.at("shadow"), draft.config);
  MapReader section(root.at("feedback"));
  section.flag("comments", draft.config.feedback.comments);
}

}  // namespace tollgate
