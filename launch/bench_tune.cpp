// scoremle bench tune: a table of tiles for this GPU and this training step.
#include "launch/bench.h"
#include "launch/tuning.h"

namespace launch {

int bench_tune(const BenchFlags& flags, Session& session) {
  const core::config::RunConfig config = load(flags.config, session);
  require_writable(flags.write);
  tune(config, open_device(flags.device, config.training().threads(), session.communicator()), flags.runs, flags.write);
  return 0;
}

}  // namespace launch
