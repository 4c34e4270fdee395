// What a config's words are here.
#pragma once

#include <filesystem>

#include "core/config/run.pb.h"
#include "core/program/storage.h"
#include "distributed/reducer.h"

namespace distributed {

inline Reduction reduction_of(const core::config::RunConfig& config) {
  return config.training().reduction() == core::config::FAST ? Reduction::fast : Reduction::deterministic;
}

inline Sharding sharding_of(const core::config::RunConfig& config) {
  return config.training().sharding() == core::config::OPTIMIZER ? Sharding::optimizer : Sharding::none;
}

inline core::program::Storage storage_of(core::config::Activations activations) {
  return activations == core::config::BFLOAT16 ? core::program::Storage::bf16 : core::program::Storage::f32;
}

/// Of a gradient bucket.
inline std::int64_t bucket_elements(const core::config::RunConfig& config) {
  return std::int64_t{config.training().bucket_kib()} * 1024 / 4;
}

}  // namespace distributed
