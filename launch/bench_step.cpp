// scoremle bench step: where the time of a training step goes.
#include "core/config/load.h"
#include "core/program/describe.h"
#include "distributed/metrics.h"
#include "launch/bench.h"
#include "launch/record_table.h"
#include "launch/training_step.h"

namespace launch {
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
  table.add(TrainingStep::update_name, update, step.update_bytes());
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
