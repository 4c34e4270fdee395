#include <charconv>

#include "launch/command.h"

namespace launch {

void add_config_flags(CLI::App& command, ConfigFlags& flags) {
  command.add_option("--config", flags.config, "A config file, or the name of a preset")
      ->required()
      ->type_name("FILE|PRESET");
  command
      .add_option("--set", flags.overrides,
                  "Overrides in the config's own language: --set 'optimizer { learning_rate: 1e-4 }' (repeatable)")
      ->type_name("TEXT")
      ->take_all();
}

void add_device_flags(CLI::App& command, DeviceFlags& flags) {
  command
      .add_option("--device", flags.device,
                  "What computes: the cpu, a GPU for each rank (cuda), or GPUs where there are some (auto)")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
      ->capture_default_str();
  command
      .add_option("--tiles", flags.tiles,
                  "The tiles of a GPU's matrix products, as scoremle bench tune wrote them (default: by a rule)")
      ->type_name("FILE");
}

void add_collectives_flags(CLI::App& command, DeviceFlags& flags, std::string& collectives) {
  command
      .add_option("--collectives", collectives,
                  "What moves gradients between ranks: nccl from GPU to GPU, mpi by way of the host's memory, or nccl "
                  "for several ranks on GPUs and else mpi (auto)")
      ->check(CLI::IsMember({"auto", "nccl", "mpi"}))
      ->capture_default_str();
  command
      .add_flag("--share-gpus", flags.share_gpus,
                "Where a node has more ranks than GPUs, let ranks share them; auto then means mpi")
      ->disable_flag_override();
}

void add_trace_flag(CLI::App& command, std::string& file, const std::string& help) {
  command.add_option("--trace", file, help + ", as JSON for ui.perfetto.dev or chrome://tracing")->type_name("FILE");
}

void add_run_flags(CLI::App& command, RunFlags& flags) {
  command.add_option("--run", flags.directory, "Folder of the run (training.directory)")->required()->type_name("DIR");
  command
      .add_option("--set", flags.overrides,
                  "Overrides of the run's config, above all of evaluation { ... } or sampling { ... } (repeatable)")
      ->type_name("TEXT")
      ->take_all();
  add_device_flags(command, flags.device);
  command.add_option("--step", flags.step, "Use the checkpoint of this step (default: the newest)")->check(at_least(0));
}

CLI::Validator at_least(std::int64_t low) {
  return {[low](std::string& text) {
            std::int64_t value = 0;
            const char* const end = text.data() + text.size();
            const auto [read, error] = std::from_chars(text.data(), end, value);
            return error == std::errc() && read == end && value >= low
                       ? std::string()
                       : fmt::format("is {}, must be a whole number of at least {}", text, low);
          },
          fmt::format("INT >= {}", low)};
}

}  // namespace launch
