#pragma once
// A whole decision, for people and for programs: what `tollgate explain` and the admin API show. Off the request path:
// it computes the features once more and allocates as it likes.
//
//    const Result<Plan> plan = decide(facts, config, states);
//    std::cout << explain_text(facts, config, plan, *scoring.model);
//
// Never shows prompt text: only counts, names from the configuration and the requested model's name.

#include <string>

#include "router/model.hpp"
#include "router/router.hpp"

namespace tollgate {

/// A table: complexity and the terms that made it, constraints that apply, route, each target with forecast and reason,
/// each one ruled out with why; or the refusal.
[[nodiscard]] std::string explain_text(const RequestFacts& facts, const Config& config, const Result<Plan>& plan,
                                       const Model& model = base_model());

/// The same as one JSON object. Money is a decimal string; a forecast that is not known is null.
[[nodiscard]] std::string explain_json(const RequestFacts& facts, const Config& config, const Result<Plan>& plan,
                                       const Model& model = base_model());

}  // namespace tollgate
