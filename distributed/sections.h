// What a checkpoint is made of: named ranges of flat vectors.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/parameters.h"

namespace distributed {

/// Elements of the flat vector `name` from element `begin` on: what is saved, and where it is loaded to.
struct Section {
  std::string name;
  std::int64_t begin;
  std::span<const float> values;
};
struct Target {
  std::string name;
  std::int64_t begin;
  std::span<float> values;
};

/// This rank's part of the training state: weights, m, v and ema in its shard, whatever the sharding.
std::vector<Section> shard_sections(const Parameters& parameters);
std::vector<Target> shard_targets(const Parameters& parameters);
/// After loading shard_targets(): gives every rank what it holds besides its shard. Collective.
void gather_loaded(Communicator& communicator, const Parameters& parameters);

}  // namespace distributed
