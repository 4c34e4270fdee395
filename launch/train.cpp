// scoremle train: from a config to a trained run.
#include <omp.h>

#include <iostream>
#include <optional>

#include "core/config/load.h"
#include "core/config/overlay.h"
#include "core/data/dataset.h"
#include "core/objective/training_program.h"
#include "core/program/describe.h"
#include "distributed/initial_weights.h"
#include "distributed/interrupt.h"
#include "distributed/settings.h"
#include "distributed/trainer.h"
#include "launch/command.h"
#include "launch/environment.h"
#include "launch/staging.h"

namespace launch {
namespace {

struct TrainFlags {
  ConfigFlags config;
  DeviceFlags device;
  std::string collectives = "auto", init_from, trace;
  std::int64_t rank_timeout = 1800;
  bool resume = false;
  bool dry_run = false;
};

/// Prints what would run, and what it would cost.
int describe_run(const core::config::RunConfig& config, const std::shared_ptr<kernels::Device>& device) {
  const auto training = core::objective::record_training(config);
  const core::program::Executor executor(
      core::program::stored(training.program, distributed::storage_of(config.training().activations())), device);
  std::cout << core::config::text(config) << '\n' << core::program::describe(training.program, executor.plan());
  const double state = 3 * 4.0 * static_cast<double>(core::program::parameter_count(training.program)) / (1 << 20);
  std::cout << fmt::format("optimiser    {:>14.1f} MiB (two moments and averaged weights{})\n", state,
                           config.training().sharding() == core::config::OPTIMIZER ? ", shared out among the ranks"
                                                                                   : " on every rank")
            << fmt::format("a step       {:>14} micro-batches of {} images: {:.2f} GFLOP\n",
                           config.training().micro_batches(), config.training().micro_batch_images(),
                           1e-9 * core::program::total_flops(training.program) * config.training().micro_batches());
  return 0;
}

core::config::RunConfig config_of(const TrainFlags& flags, const Session& session) {
  ConfigFlags config = flags.config;
  if (!flags.init_from.empty()) {
    core::config::RunConfig origin;
    origin.mutable_training()->mutable_init_from()->set_run(flags.init_from);
    config.overrides.push_back(core::config::text(origin));
  }
  return load(config, session);
}

/// What the config leaves open about where the weights start. A resumed run keeps what it was begun with; a checkpoint
/// that does not agree is refused when it is loaded.
void settle_origin(const TrainFlags& flags, distributed::Communicator& communicator, core::config::RunConfig& config) {
  const auto file = std::filesystem::path(config.training().directory()) / "config.textproto";
  if (!flags.resume) {
    if (!config.training().has_init_from()) return;
    auto& origin = *config.mutable_training()->mutable_init_from();
    origin = distributed::with_step(origin, communicator);
  } else if (std::filesystem::exists(file)) {
    const core::config::RunConfig begun = core::config::load(file, {}, {});
    core::config::InitFrom origin = begun.training().init_from();
    if (!begun.training().has_init_from()) return;
    core::config::merge(config.training().init_from(), origin);
    *config.mutable_training()->mutable_init_from() = origin;
  }
}

int train(const TrainFlags& flags, Session& session) {
  core::config::RunConfig config = config_of(flags, session);
  distributed::Communicator& communicator = session.communicator();
  const auto device = open_device(flags.device, config.training().threads(), communicator);
  say_if_slow("training.activations", config.training().activations(), *device, communicator);
  say_if_slow("evaluation.activations", config.evaluation().activations(), *device, communicator);
  if (flags.dry_run) return communicator.rank() == 0 ? describe_run(config, device) : 0;
  if (!flags.trace.empty()) require_writable(flags.trace);
  core::config::require_source(config.data().training(), "data.training");
  const auto collectives = open_collectives(flags.collectives, flags.device, communicator, device);
  settle_origin(flags, communicator, config);
  distributed::catch_interrupts();
  omp_set_num_threads(config.training().threads());
  const auto training = core::data::open(config, staged(config.data().training(), communicator));
  std::optional<core::data::Dataset> heldout;
  if (config.data().has_heldout())
    heldout.emplace(core::data::open(config, staged(config.data().heldout(), communicator)));
  if (communicator.rank() == 0) {
    std::cout << core::config::text(config) << "\ntraining: " << training.describe() << '\n';
    if (heldout) std::cout << "held out: " << heldout->describe() << '\n';
    std::cout << "ranks: " << communicator.size() << " of " << config.training().threads() << " threads\n"
              << std::flush;
  }
  distributed::Trainer trainer(config, communicator, *collectives, device, training, heldout ? &*heldout : nullptr,
                               flags.resume ? distributed::Start::resume : distributed::Start::fresh);
  if (!flags.trace.empty()) trainer.trace(flags.trace);
  if (communicator.rank() == 0) {
    append_job(config.training().directory(),
               this_job(communicator.size(), config.training().threads(), device->name()));
  }
  communicator.set_patience(static_cast<double>(flags.rank_timeout));
  return trainer.run();
}

}  // namespace

void add_train(CLI::App& app, Action& chosen) {
  CLI::App* command =
      app.add_subcommand("train", "Train a score model; start it under mpirun or srun for several ranks");
  auto flags = std::make_shared<TrainFlags>();
  add_config_flags(*command, flags->config);
  add_device_flags(*command, flags->device);
  add_collectives_flags(*command, flags->device, flags->collectives);
  command
      ->add_option("--rank-timeout", flags->rank_timeout,
                   "Seconds that ranks wait for one of them before the run ends and names it; 0: for ever")
      ->check(at_least(0))
      ->capture_default_str();
  command
      ->add_option(
          "--init-from", flags->init_from,
          "Start with the averaged weights of another run, by matching names and shapes, and a fresh optimiser")
      ->check(
          CLI::Validator([](std::string& run) { return run.empty() ? "is empty; name the folder of a run" : ""; }, ""))
      ->type_name("DIR");
  command
      ->add_flag("--resume", flags->resume,
                 "Go on from the newest checkpoint of the run's folder, on any number of ranks")
      ->disable_flag_override();
  command
      ->add_flag("--dry-run", flags->dry_run,
                 "Print the effective config, the recorded program, parameters, FLOPs and memory, and stop")
      ->disable_flag_override();
  add_trace_flag(*command, flags->trace, "Write when what ran in five steps, on all ranks");
  command->callback([flags, &chosen] { chosen = [flags](Session& session) { return train(*flags, session); }; });
}

}  // namespace launch
