// What a config's words are here.
#pragma once

#include <filesystem>

#include "core/config/run.pb.h"
#include "distributed/reducer.h"

namespace distributed {

inline Reduction reduction_of(const core::config::RunConfig& config) {
  return config.training().reduction() == core::config::FAST ? Reduction::fast : Reduction::deterministic;
}

inline Sharding sharding_of(const core::config::RunConfig& config) {
  return config.training().sharding() == core::config::OPTIMIZER ? Sharding::optimizer : Sharding::none;
}

/// Of a gradient bucket.
inline std::int64_t bucket_elements(const core::config::RunConfig& config) {
  return std::int64_t{config.training().bucket_kib()} * 1024 / 4;
}

}  // namespace distributed
