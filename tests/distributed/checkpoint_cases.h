// A small training state whose every number can be told, and checkpoints of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "distributed/checkpoint_store.h"
#include "distributed/sections.h"
#include "tests/distributed/pseudo_gradients.h"
#include "tests/folder.h"

namespace distributed::testing {

constexpr std::array<const char*, 4> section_names{"weights", "m", "v", "ema"};

inline float state_value(int section, std::int64_t index, std::int64_t step) {
  return pseudo_gradient(section, index, static_cast<int>(step));
}

inline void fill_shard(const Parameters& parameters, std::int64_t step) {
  const std::vector<Target> targets = shard_targets(parameters);
  for (int section = 0; section < 4; ++section) {
    for (std::int64_t i = 0; i < std::ssize(targets[section].values); ++i) {
      targets[section].values[i] = state_value(section, targets[section].begin + i, step);
    }
  }
}

/// Whether the parameters are those of `step`, in everything that this rank holds.
inline bool holds(const Parameters& parameters, std::int64_t step) {
  for (std::int64_t i = 0; i < parameters.layout().total; ++i) {
    if (parameters.weights()[i] != state_value(0, i, step)) return false;
  }
  for (std::int64_t i = 0; i < parameters.range().size(); ++i) {
    const std::int64_t at = parameters.range().begin + i;
    if (parameters.m()[i] != state_value(1, at, step) || parameters.v()[i] != state_value(2, at, step) ||
        parameters.ema()[i] != state_value(3, at, step)) {
      return false;
    }
  }
  return true;
}

inline RunIdentity identity_of(const Layout& layout, const std::string& fixed = "model {\n  channels: 8\n}\n") {
  return {.layout = layout, .config = "name: \"test\"\n" + fixed, .fixed_config = fixed};
}

/// A state with numbers that only doubles hold.
inline State state_of(std::int64_t step) {
  return {{"images", static_cast<double>(step) * 128}, {"best", 0.1 + static_cast<double>(step)}};
}

inline SaveResult save_step(Communicator& communicator, CheckpointStore& store, const Layout& layout, std::int64_t step,
                            Sharding sharding = Sharding::optimizer) {
  const Parameters parameters(layout, sharding, communicator.rank(), communicator.size());
  fill_shard(parameters, step);
  return store.save(step, shard_sections(parameters), state_of(step));
}

/// Loads what is newest and checks every number of it; returns the step, -1 where there is none.
inline std::int64_t loaded_step(Communicator& communicator, CheckpointStore& store, const Layout& layout,
                                std::vector<std::string>* notes = nullptr, Sharding sharding = Sharding::optimizer) {
  const Parameters parameters(layout, sharding, communicator.rank(), communicator.size());
  const auto loaded = store.load(shard_targets(parameters));
  if (!loaded) return -1;
  gather_loaded(communicator, parameters);
  EXPECT_TRUE(holds(parameters, loaded->step)) << "P=" << communicator.size() << " step " << loaded->step;
  EXPECT_EQ(loaded->state, state_of(loaded->step));
  if (notes && communicator.rank() == 0) *notes = loaded->notes;
  return loaded->step;
}

/// A folder of checkpoints.
class TestDirectory : public tests::Folder {
 public:
  using tests::Folder::Folder;
  std::filesystem::path checkpoint(std::int64_t step, std::int64_t generation = 1) const {
    return checkpoint_folder(path()) / CheckpointName{step, generation}.text();
  }
  std::vector<std::string> names(const std::string& prefix) const {
    return names_with_prefix(checkpoint_folder(path()), prefix);
  }
};

}  // namespace distributed::testing
