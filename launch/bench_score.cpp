// scoremle bench score: what samplers and likelihoods ask of a network.
#include "core/objective/score_network.h"
#include "core/objective/training_program.h"
#include "core/sde/sde.h"
#include "distributed/evaluator.h"
#include "distributed/initial_weights.h"
#include "launch/bench.h"

namespace launch {

int bench_score(const BenchFlags& flags, Session& session) {
  const core::config::RunConfig config = load(flags.config, session);
  const auto training = core::objective::record_training(config, kernels::Mode::overwrite);
  const distributed::Layout layout = distributed::layout_of(training.program.parameters());
  const distributed::Floats weights(layout.total);
  distributed::initialise(training.program, config.seed(), layout, weights.span());
  const std::int64_t images = config.training().micro_batch_images();
  core::objective::ScoreNetwork network(core::model::unet_spec(config), core::sde::sde_of(config), images,
                                        config.training().threads());
  distributed::bind_flat(network, layout, weights.span());
  const core::likelihood::Score score = network.classes() > 0 ? network.score(0) : network.score();

  const auto n = static_cast<std::size_t>(images), size = n * static_cast<std::size_t>(score.dims);
  const std::vector<double> t(n, 0.5), x(size, 0.1), probe(size, 1);
  std::vector<double> found(size), trace(n);
  const auto print = [&](const char* name, double seconds) {
    fmt::print("{:<42} {:>9.2f} ms, {:>7.1f} images/s, {:.0f} MiB\n", name, 1e3 * seconds,
               static_cast<double>(images) / seconds, distributed::resident_mib());
  };
  fmt::print("{} images, the fastest of {}\n", images, flags.runs);
  print("score", fastest(flags.runs, [&] { score.value(t, x, found); }));
  print("score and v^T (d score/dx) v (the ODE's)",
        fastest(flags.runs, [&] { score.with_trace(t, x, probe, found, trace); }));
  return 0;
}

}  // namespace launch
