#pragma once
// What `tollgate explain --state` says of a target: explain runs without a gateway, so the state that decisions depend
// on has to be said.
//
//    --state 'gpu/llama: in_flight=12, waiting=3'      --state 'cloud/big: down'      --state 'cloud/big: cached=20000'

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/result.hpp"
#include "router/router.hpp"
#include "router/target_state.hpp"

namespace tollgate::cli {

struct AssumedState {
  std::vector<TargetState> targets;  ///< one per target of the configuration, up and idle unless a line says otherwise; serverless pools have no worker up
  RequestFacts::Conversation conversation;
};
/// Errors name what is wrong and what would be right.
[[nodiscard]] Result<AssumedState> read_states(const std::vector<std::string>& lines, const Config& config);

}  // namespace tollgate::cli
