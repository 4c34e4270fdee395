// scoremle evaluate: the likelihood of a trained run, in bits per dimension.
#include <cmath>
#include <fstream>
#include <iostream>

#include "core/config/load.h"
#include "core/data/dataset.h"
#include "core/likelihood/report.h"
#include "core/sde/sde.h"
#include "distributed/checkpoint_read.h"
#include "distributed/evaluator.h"
#include "launch/command.h"
#include "launch/likelihood_file.h"
#include "launch/staging.h"
#include "launch/trained.h"

namespace launch {
namespace {

using core::likelihood::Report;

struct EvaluateFlags {
  RunFlags run;
  std::int64_t images = 0;
  std::int64_t ode_images = -1;
  std::string estimator = "both", set = "heldout", output;
};

int evaluate(const EvaluateFlags& flags, Session& session) {
  const core::config::RunConfig config = load_run(flags.run.directory, flags.run.overrides, session);
  const bool heldout = flags.set == "heldout";
  kernels::require(!heldout || config.data().has_heldout(),
                   "data.heldout: is not set; set it, or evaluate the training images with --on training");
  const std::filesystem::path output = flags.output.empty()
                                           ? std::filesystem::path(flags.run.directory) / "likelihood.tsv"
                                           : std::filesystem::path(flags.output);
  require_writable(output);
  kernels::require(flags.ode_images < 0 || flags.estimator != "bound",
                   "--ode-images: there is no ODE with --estimator bound");
  kernels::require(flags.images == 0 || flags.ode_images < 0 || flags.estimator != "ode",
                   "--images: there is no bound with --estimator ode; --ode-images says how many");
  distributed::Communicator& communicator = session.communicator();
  const auto device = open_device(flags.run.device, config.training().threads(), communicator);
  say_if_slow("evaluation.activations", config.evaluation().activations(), *device, communicator);
  const core::config::Source& source = heldout ? config.data().heldout() : config.data().training();
  core::config::require_source(source, heldout ? "data.heldout" : "data.training");
  const auto dataset = core::data::open(config, staged(source, communicator));
  Trained trained(config, communicator, device, flags.run, config.evaluation().batch_images());

  Report report{
      .data = fmt::format("{} ({})", dataset.describe(), flags.set),
      .model = fmt::format("{} at step {}, averaged weights; {}, smallest time {}", flags.run.directory, trained.step(),
                           core::sde::describe(core::sde::sde_of(config)), config.sde().smallest_time()),
      .passes = config.evaluation().passes()};
  const auto all_images = [&](std::int64_t wanted) { return wanted > 0 ? wanted : dataset.size(); };
  if (flags.estimator != "ode") {
    distributed::Evaluator evaluator(config, communicator, dataset, all_images(flags.images));
    evaluator.on_progress(progress_bar("bound"));
    report.bound = evaluator.bound(trained.network());
    report.bound_times = config.evaluation().bound_times();
  }
  if (flags.estimator != "bound") {
    distributed::Evaluator evaluator(config, communicator, dataset,
                                     all_images(flags.ode_images >= 0 ? flags.ode_images : flags.images));
    evaluator.on_progress(progress_bar("ODE"));
    report.ode = evaluator.ode(trained.network());
    report.ode_tolerance = config.evaluation().ode_tolerance();
  }
  if (const auto entropy = dataset.entropy()) {
    report.entropy = entropy->bits_per_dim;
    report.entropy_meaning = entropy->meaning;
  }
  if (communicator.rank() != 0) return 0;
  core::likelihood::write_per_image(report, output);
  if (flags.output.empty()) write_likelihood(std::filesystem::path(output).replace_extension(".json"), report);
  std::cout << core::likelihood::text(report) << "per image: " << output.string() << '\n';
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand(
      "evaluate", "The likelihood of a trained run in bits/dim: variational bound and probability-flow ODE");
  auto flags = std::make_shared<EvaluateFlags>();
  add_run_flags(*command, flags->run);
  command->add_option("--images", flags->images, "Evaluate a fixed random subset of this many images (default: all)")
      ->check(at_least(1));
  command->add_option("--ode-images", flags->ode_images, "The same for the ODE alone, which costs more")
      ->check(at_least(1));
  command->add_option("--estimator", flags->estimator, "bound, ode or both")
      ->check(CLI::IsMember({"bound", "ode", "both"}))
      ->capture_default_str();
  command->add_option("--on", flags->set, "heldout or training images")
      ->check(CLI::IsMember({"heldout", "training"}))
      ->capture_default_str();
  command->add_option(
      "--output", flags->output,
      "File for the per-image figures (default: likelihood.tsv in the run's folder, and the table for the "
      "report beside it)");
  command->callback([flags, &chosen] { chosen = [flags](Session& session) { return evaluate(*flags, session); }; });
}

}  // namespace launch
