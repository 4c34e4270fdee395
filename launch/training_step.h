// One training step as measurements run it.
#pragma once

#include <cmath>
#include <memory>

#include "core/objective/training_program.h"
#include "distributed/binding.h"
#include "distributed/initial_weights.h"
#include "distributed/optimizer.h"
#include "distributed/settings.h"
#include "distributed/squared_norm.h"
#include "distributed/timeline.h"

namespace launch {

/// A training step on weights as they are at the start and images of zeros: one micro-batch forward and back, and the
/// update that follows the last micro-batch of a step.
class TrainingStep {
 public:
  static constexpr const char* update_name = "norm, clip, Adam, EMA";

  TrainingStep(const core::config::RunConfig& config, const std::shared_ptr<kernels::Device>& device)
      : training_(core::objective::record_training(config)),
        program_(core::program::stored(training_.program, distributed::storage_of(config.training().activations()))),
        executor_(program_, device),
        communicator_(distributed::make_solo_communicator()),
        parameters_(distributed::layout_of(program_.parameters()), distributed::Sharding::none, 0, 1),
        on_device_(parameters_, device),
        norm_(*communicator_, device, on_device_.gradient.device()),
        optimizer_(config, on_device_, parameters_.range(), device) {
    distributed::initialise(program_, config.seed(), parameters_.layout(), parameters_.weights());
    on_device_.state_to_device();
    distributed::bind_flat(executor_, training_, parameters_.layout(), on_device_);
  }

  void run_micro_batch(distributed::Timeline* timeline = nullptr) {
    distributed::run(executor_, program_, timeline);
    executor_.device().finish();
  }
  void update(distributed::Timeline* timeline = nullptr) {
    const distributed::Timeline::Span span(timeline, update_name);
    norm_.start();
    optimizer_.step(0, std::sqrt(norm_.finish()));
    executor_.device().finish();
  }
  /// The gradient is read twice, weights, both moments and the averaged weights are read and written.
  double update_bytes() const { return 10.0 * sizeof(float) * static_cast<double>(parameters_.layout().total); }
  const core::program::Program& program() const { return program_; }
  core::program::Executor& executor() { return executor_; }

 private:
  core::objective::TrainingProgram training_;
  core::program::Program program_;
  core::program::Executor executor_;
  std::unique_ptr<distributed::Communicator> communicator_;
  distributed::Parameters parameters_;
  distributed::MirroredParameters on_device_;
  distributed::SquaredNorm norm_;
  distributed::Optimizer optimizer_;
};

}  // namespace launch
