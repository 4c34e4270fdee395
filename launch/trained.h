// A trained run as the commands use it: its averaged weights in a network.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "core/objective/score_network.h"
#include "distributed/mirrored.h"
#include "launch/session.h"

namespace launch {

/// --run, --set, --step and --device of the commands that use a trained run.
struct RunFlags {
  std::string directory;
  DeviceFlags device;
  std::vector<std::string> overrides;
  std::int64_t step = -1;
};

class Trained {
 public:
  /// Loads the run's newest checkpoint, or that of flags.step. Collective.
  Trained(const core::config::RunConfig& config, distributed::Communicator& communicator,
          std::shared_ptr<kernels::Device> device, const RunFlags& flags, std::int64_t batch_images);
  core::objective::ScoreNetwork& network() { return network_; }
  std::int64_t step() const { return step_; }

 private:
  core::objective::ScoreNetwork network_;
  distributed::Layout layout_;
  distributed::Floats weights_;
  distributed::Mirrored mirrored_;
  std::int64_t step_;
};

/// Prints "NAME 12/512  3.5/s  140 s left" over itself on a terminal, and a line every tenth of the way elsewhere.
std::function<void(std::int64_t done, std::int64_t of)> progress_bar(std::string name);

}  // namespace launch
