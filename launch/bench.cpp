// scoremle bench: where the time of a training step goes.
#include <algorithm>
#include <iostream>
#include <map>

#include "core/config/load.h"
#include "core/model/initialise.h"
#include "core/objective/training_program.h"
#include "core/program/describe.h"
#include "distributed/evaluator.h"
#include "distributed/metrics.h"
#include "launch/command.h"

namespace launch {
namespace {

struct BenchFlags {
  ConfigFlags config;
  int runs = 5;
};

/// Times one micro-batch of training record by record, on weights as they are at the start.
int bench_step(const BenchFlags& flags, Session& session) {
  const core::config::RunConfig config = load(flags.config, session);
  const auto training = core::objective::record_training(config, kernels::Mode::overwrite);
  const auto executor =
      core::program::make_cpu_executor(training.program, {.threads = config.training().threads(), .exchange = {}});
  const distributed::Layout layout = distributed::layout_of(training.program.parameters());
  const distributed::Floats weights(layout.total), gradients(layout.total);
  const auto part = [&](const distributed::Floats& flat, std::size_t i) {
    return layout.tensors[i].range().of(flat.span());
  };
  core::model::initialise(training.program, static_cast<std::uint64_t>(config.seed()),
                          [&](std::size_t i) { return part(weights, i); });
  for (std::size_t i = 0; i < layout.tensors.size(); ++i) {
    executor->bind(training.program.parameters()[i].tensor, part(weights, i));
    executor->bind(training.gradients[i], part(gradients, i));
  }
  executor->run();
  double whole = INFINITY;
  for (int run = 0; run < flags.runs; ++run) {
    const distributed::Timer timer;
    executor->run();
    whole = std::min(whole, timer.seconds());
  }

  struct Row {
    double seconds = 0, flops = 0;
    int records = 0;
  };
  std::map<std::string, Row> rows;
  for (const auto& time : executor->profile(flags.runs)) {
    Row& row = rows[time.operation];
    row.seconds += time.seconds;
    row.flops += time.flops;
    ++row.records;
  }
  std::vector<std::pair<std::string, Row>> sorted(rows.begin(), rows.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  fmt::print("{:<22} {:>7} {:>10} {:>7} {:>9}\n", "record", "count", "ms", "share", "GFLOP/s");
  for (const auto& [name, row] : sorted) {
    fmt::print("{:<22} {:>7} {:>10.2f} {:>6.1f}% {:>9}\n", name, row.records, 1e3 * row.seconds,
               100 * row.seconds / whole, row.flops > 0 ? fmt::format("{:.0f}", 1e-9 * row.flops / row.seconds) : "");
  }
  fmt::print("one micro-batch of {} images: {:.2f} ms, the fastest of {}; {:.1f} images/s, {:.0f} GFLOP/s\n",
             config.training().micro_batch_images(), 1e3 * whole, flags.runs,
             config.training().micro_batch_images() / whole,
             1e-9 * core::program::total_flops(training.program) / whole);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& chosen) {
  CLI::App* bench = app.add_subcommand("bench", "Where the time goes");
  bench->require_subcommand(1);
  add_bench_data(*bench, chosen);
  CLI::App* command =
      bench->add_subcommand("step", "Time the forward and backward pass of one micro-batch, by kind of record");
  auto flags = std::make_shared<BenchFlags>();
  add_config_flags(*command, flags->config);
  command->add_option("--runs", flags->runs, "Runs; the fastest counts")->check(at_least(1))->capture_default_str();
  command->callback([flags, &chosen] { chosen = [flags](Session& session) { return bench_step(*flags, session); }; });
}

}  // namespace launch
