// scoremle bench score: what samplers and likelihoods ask of a network.
#include "core/objective/score_network.h"
#include "core/objective/training_program.h"
#include "core/sde/sde.h"
#include "distributed/binding.h"
#include "distributed/initial_weights.h"
#include "distributed/settings.h"
#include "launch/bench.h"
#include "launch/record_table.h"

namespace launch {

int bench_score(const BenchFlags& flags, Session& session) {
  const core::config::RunConfig config = load(flags.config, session);
  const auto device = open_device(flags.device, config.training().threads(), session.communicator());
  const auto training = core::objective::record_training(config);
  const distributed::Layout layout = distributed::layout_of(training.program.parameters());
  const distributed::Floats weights(layout.total);
  distributed::initialise(training.program, config.seed(), layout, weights.span());
  const std::int64_t images = config.training().micro_batch_images();
  core::objective::ScoreNetwork network(core::model::unet_spec(config), core::sde::sde_of(config), images, device,
                                        distributed::storage_of(config.evaluation().activations()));
  const distributed::Mirrored mirrored(device, weights.span(), "weights");
  distributed::bind_flat(network, layout, mirrored.device());
  const core::likelihood::Score score = network.classes() > 0 ? network.score(0) : network.score();

  const auto n = static_cast<std::size_t>(images), size = n * static_cast<std::size_t>(score.dims);
  const std::vector<double> t(n, 0.5), x(size, 0.1), probe(size, 1);
  std::vector<double> found(size), trace(n);
  const kernels::MachineSpeed speed = speed_of(*device, config.training().threads());
  const auto report = [&](const char* name, core::objective::ScoreNetwork::Calls calls, const auto& call) {
    const double seconds = fastest(flags.runs, call);
    const auto inside = network.inside(calls);
    RecordTable table(speed);
    table.measure(inside.program, inside.executor, flags.runs);
    const auto runs = static_cast<double>((images + network.images_per_run() - 1) / network.images_per_run());
    table.print(seconds / runs);
    fmt::print(
        "{}: {} images in {:.0f} runs of {}: {:.2f} ms, the fastest of {}; {:.1f} x floor, {:.1f} images/s, {:.0f} "
        "MiB\n\n",
        name, images, runs, network.images_per_run(), 1e3 * seconds, flags.runs, seconds / runs / table.floor_seconds(),
        static_cast<double>(images) / seconds, distributed::resident_mib());
  };
  report("score", core::objective::ScoreNetwork::Calls::value, [&] { score.value(t, x, found); });
  report("score and v^T (d score/dx) v (the ODE's)", core::objective::ScoreNetwork::Calls::with_trace,
         [&] { score.with_trace(t, x, probe, found, trace); });
  return 0;
}

}  // namespace launch
