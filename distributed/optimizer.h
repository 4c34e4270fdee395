// Adam on this rank's range of the flat space, with its schedule.
#pragma once

#include <memory>

#include "core/config/run.pb.h"
#include "core/program/executor.h"
#include "distributed/mirrored.h"

namespace distributed {

/// The learning rate of step 0, 1, ...: linear warm-up, then constant or half a cosine down to zero at the last step.
double learning_rate(const core::config::RunConfig& config, std::int64_t step);

/// The decay of the averaged weights at a step: `ema`, or with ema_warmup min(ema, (1 + step)/(10 + step)), so that the
/// average of a short run is not mostly its initial weights.
double ema_decay(const core::config::Optimizer& optimizer, std::int64_t step);

class Optimizer {
 public:
  /// Updates the range in place, where the device has it; `parameters` must outlive the optimizer.
  Optimizer(const core::config::RunConfig& config, const MirroredParameters& parameters, Range range,
            std::shared_ptr<kernels::Device> device);
  /// One step from the mean gradient in the device's buffer, whose norm is `gradient_norm` (clipped here).
  void step(std::int64_t step, double gradient_norm);

 private:
  const core::config::RunConfig& config_;
  core::program::Tensor settings_;
  std::unique_ptr<core::program::Executor> executor_;  // none where this rank's range is empty
};

}  // namespace distributed
