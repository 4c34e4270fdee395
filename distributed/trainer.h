// The training loop of one rank.
#pragma once

#include <cstdint>
#include <optional>

#include "core/config/run.pb.h"
#include "core/objective/training_program.h"
#include "core/program/executor.h"
#include "distributed/assessment.h"
#include "distributed/batches.h"
#include "distributed/checkpoint_store.h"
#include "distributed/communicator.h"
#include "distributed/metrics.h"
#include "distributed/optimizer.h"
#include "distributed/parameters.h"
#include "distributed/reducer.h"
#include "distributed/timeline.h"

namespace distributed {

enum class Start { fresh, resume };

/// Exit status of a run whose loss or gradient became infinite or not a number.
inline constexpr int exit_not_finite = 5;
/// Exit status of a run whose last state could not be saved.
inline constexpr int exit_not_saved = 1;

class Trainer {
 public:
  /// `config` is valid and the same on every rank; the collectives move what the device has. With Start::resume the
  /// newest checkpoint of the run's folder is read; with Start::fresh a folder that has one is refused. `heldout` may
  /// be empty: then nothing is evaluated on the way.
  Trainer(const core::config::RunConfig& config, Communicator& communicator, kernels::Collectives& collectives,
          std::shared_ptr<kernels::Device> device, const core::data::Dataset& training,
          const core::data::Dataset* heldout, Start start);

  /// To be written to `file` by run(): what ran when in five of its steps, the second to the sixth. Throws InputError
  /// where there are no two steps to run.
  void trace(const std::filesystem::path& file);

  /// Trains to the last step or until interrupted. Returns the process's exit status: 0 or exit_interrupted.
  int run();

 private:
  void prepare_executor();
  void prepare_state(Start start);
  void train_step(std::int64_t step);
  const Batch& compute(std::int64_t step, int micro_batch, core::program::Exchanging exchanging);
  void update(std::int64_t step, double gradient_norm);
  void keep_images();
  const Batch& upload_images(std::int64_t step, int micro_batch);
  Reducer::Sums finish_gradient(core::program::Exchanging exchanged);
  void check_finite(const Batch& batch);
  [[noreturn]] void report_non_finite_gradient(std::int64_t step);
  void report(std::int64_t step);
  void save(std::int64_t step);
  bool agreed_to_stop();
  void start_trace();
  void finish_trace();
  Metrics* metrics() { return metrics_ ? &*metrics_ : nullptr; }
  bool leads() const { return communicator_.rank() == 0; }

  const core::config::RunConfig& config_;
  Communicator& communicator_;
  kernels::Collectives& collectives_;
  std::shared_ptr<kernels::Device> device_;
  const core::data::Dataset& data_;
  Parameters parameters_;
  core::objective::TrainingProgram training_;
  Batches batches_;
  MirroredParameters on_device_;
  Reducer reducer_;
  Optimizer optimizer_;
  kernels::TimeLaw time_law_;
  std::unique_ptr<core::program::Executor> executor_;
  std::optional<CheckpointStore> store_;
  std::optional<Metrics> metrics_;  // of rank 0
  std::optional<Assessment> assessment_;
  std::int64_t first_step_ = 0;
  bool stopping_ = false;
  std::filesystem::path trace_file_;    // empty: none is asked for
  std::unique_ptr<Timeline> timeline_;  // while steps are traced

  std::vector<float> losses_, times_;  // of the last micro-batch
  Stretch stretch_;                    // since the last report
};

}  // namespace distributed
