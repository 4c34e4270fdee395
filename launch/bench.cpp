// scoremle bench: where the time goes.
#include "launch/bench.h"

#include "launch/command.h"

namespace launch {

void add_bench(CLI::App& app, Action& chosen) {
  CLI::App* bench = app.add_subcommand("bench", "Where the time goes");
  bench->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, int (*act)(const BenchFlags&, Session&)) {
    CLI::App* command = bench->add_subcommand(name, help);
    auto flags = std::make_shared<BenchFlags>();
    add_config_flags(*command, flags->config);
    command->add_option("--runs", flags->runs, "Runs; the fastest counts")->check(at_least(1))->capture_default_str();
    add_device_flags(*command, flags->device);
    if (act == bench_reduction) add_collectives_flags(*command, flags->device, flags->collectives);
    if (act == bench_step) add_trace_flag(*command, flags->trace, "Write when every record of one step ran");
    if (act == bench_tune)
      command->add_option("--write", flags->write, "The table, for --tiles")->required()->type_name("FILE");
    command->callback(
        [flags, act, &chosen] { chosen = [flags, act](Session& session) { return act(*flags, session); }; });
  };
  add("step",
      "Time a training step, one micro-batch and the update, by kind of record, beside the least that this machine "
      "needs",
      bench_step);
  add("score", "Time the score of a micro-batch, as samplers and, with its trace, likelihoods ask for it", bench_score);
  add("kernels",
      "List every kernel of a training step with its bytes, FLOPs and floor on an H100, and on a GPU its time and the "
      "share of that",
      bench_kernels);
  add("tune", "Time each matrix product of a training step on a GPU with each tile, and write which is the fastest",
      bench_tune);
  add("reduction", "Time how much of the exchange of gradients is hidden behind the backward pass; under mpirun",
      bench_reduction);
  CLI::App* data = bench->add_subcommand("data", "Time reading a packed set in the shuffled order of training");
  auto flags = std::make_shared<BenchDataFlags>();
  data->add_option("--packed", flags->packed, "Folder that scoremle data pack made")->required()->type_name("DIR");
  data->add_option("--batch", flags->batch, "Images of a batch")->check(at_least(1))->capture_default_str();
  data->callback([flags, &chosen] { chosen = [flags](Session&) { return bench_data(*flags); }; });
}

}  // namespace launch
