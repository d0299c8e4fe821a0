#pragma once
// The parts of `pool:` that load_pool.cpp puts together. Private to this folder.

#include <optional>

#include "config/config.hpp"
#include "config/yaml_reader.hpp"

namespace tollgate {

/// `usd_per_gpu_second` as picodollars per hour of all GPUs; nullopt: it is not there or wrong, and that was reported.
[[nodiscard]] std::optional<Int128> load_second_price(MapReader& section, const Pool& pool);
/// What only a pool of that billing takes. False: reported.
[[nodiscard]] bool load_serverless(MapReader& section, Pool& pool);
[[nodiscard]] bool load_reported(MapReader& section, DialectName dialect, Pool& pool);
/// How busy time is shared; not asked of a reported pool, which knows each call's part.
void load_attribution(MapReader& section, Pool& pool);

}  // namespace tollgate
