#include "distributed/sections.h"

namespace distributed {

std::vector<Target> shard_targets(const Parameters& parameters) {
  const Range shard = parameters.shard();
  const std::int64_t begin = parameters.range().begin;
  const Range in_range{shard.begin - begin, shard.end - begin};
  return {{"weights", shard.begin, shard.of(parameters.weights())},
          {"m", shard.begin, in_range.of(parameters.m())},
          {"v", shard.begin, in_range.of(parameters.v())},
          {"ema", shard.begin, in_range.of(parameters.ema())}};
}

std::vector<Section> shard_sections(const Parameters& parameters) {
  std::vector<Section> sections;
  for (const Target& target : shard_targets(parameters)) {
    sections.push_back({target.name, target.begin, target.values});
  }
  return sections;
}

void gather_loaded(Communicator& communicator, const Parameters& parameters) {
  gather_shards(communicator, parameters.weights());
  if (parameters.sharding() == Sharding::optimizer) return;
  for (const std::span<float> flat : {parameters.m(), parameters.v(), parameters.ema()}) {
    gather_shards(communicator, flat);
  }
}

}  // namespace distributed
