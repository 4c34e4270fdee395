// scoremle bench step: where the time of a training step goes.
#include "core/config/load.h"
#include "core/objective/training_program.h"
#include "core/program/describe.h"
#include "distributed/binding.h"
#include "distributed/devices.h"
#include "distributed/initial_weights.h"
#include "distributed/metrics.h"
#include "distributed/optimizer.h"
#include "distributed/squared_norm.h"
#include "distributed/timeline.h"
#include "launch/bench.h"
#include "launch/record_table.h"

namespace launch {
namespace {

constexpr const char* update_name = "norm, clip, Adam, EMA";

/// A training step on weights as they are at the start and images of zeros: one micro-batch forward and back, and the
/// update that follows the last micro-batch of a step.
class TrainingStep {
 public:
  TrainingStep(const core::config::RunConfig& config, const std::shared_ptr<kernels::Device>& device)
      : training_(core::objective::record_training(config, kernels::Mode::overwrite)),
        program_(core::program::stored(training_.program, distributed::storage_of(config, *device))),
        executor_(program_, device),
        communicator_(distributed::make_solo_communicator()),
        parameters_(distributed::layout_of(program_.parameters()), distributed::Sharding::none, 0, 1),
        on_device_(parameters_, device),
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
    on_device_.gradient.to_host();
    optimizer_.step(0, std::sqrt(distributed::squared_norm(*communicator_, parameters_.gradient())));
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
  distributed::Optimizer optimizer_;
};

}  // namespace

int bench_step(const BenchFlags& flags, Session& session) {
  const core::config::RunConfig config = load(flags.config, session);
  if (!flags.trace.empty()) require_writable(flags.trace);
  TrainingStep step(config, open_device(flags.device, config.training().threads(), session.communicator()));
  const double micro_batch = fastest(flags.runs, [&] { step.run_micro_batch(); });
  const double update = fastest(flags.runs, [&] { step.update(); });
  const double whole = micro_batch + update;
  if (!flags.trace.empty()) {
    distributed::Timeline timeline;
    step.run_micro_batch(&timeline);
    step.update(&timeline);
    const std::string events[] = {timeline.events(0)};
    distributed::write_timeline(flags.trace, events);
  }

  RecordTable table(speed_of(step.executor().device(), config.training().threads()));
  table.measure(step.program(), step.executor(), flags.runs);
  table.add(update_name, update, step.update_bytes());
  table.print(whole);
  const int images = config.training().micro_batch_images();
  fmt::print(
      "one step of a micro-batch of {} images and its update: {:.2f} ms ({:.2f} + {:.2f}), the fastest of {}; {:.1f} x "
      "floor, {:.1f} images/s, {:.0f} GFLOP/s, {:.0f} MiB\n",
      images, 1e3 * whole, 1e3 * micro_batch, 1e3 * update, flags.runs, whole / table.floor_seconds(), images / whole,
      1e-9 * core::program::total_flops(step.program()) / whole, distributed::resident_mib());
  return 0;
}

}  // namespace launch
