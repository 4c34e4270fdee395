// scoremle checkpoint: what a run has saved, whether it is whole, and its weights as files of other programs.
#include <iostream>

#include "distributed/checkpoint_report.h"
#include "launch/checkpoint_files.h"
#include "launch/command.h"

namespace launch {
namespace {

int list(const std::string& run) {
  const auto checkpoints = distributed::list_checkpoints(run);
  kernels::require(!checkpoints.empty(), "{}: has no checkpoints; name the folder of a run (training.directory)", run);
  std::cout << distributed::describe(checkpoints);
  return 0;
}

int show(const std::string& checkpoint) {
  std::cout << distributed::show_checkpoint(checkpoint);
  return 0;
}

int verify(const std::string& checkpoint) {
  const std::vector<std::string> problems = distributed::verify_checkpoint(checkpoint);
  for (const std::string& problem : problems) std::cerr << "scoremle: " << problem << '\n';
  if (problems.empty()) std::cout << checkpoint << ": whole, every byte verified\n";
  return problems.empty() ? 0 : 2;
}

void add(CLI::App& parent, Action& chosen, const std::string& name, const std::string& help,
         const std::string& argument, int (*act)(const std::string&)) {
  CLI::App* command = parent.add_subcommand(name, help);
  auto path = std::make_shared<std::string>();
  command->add_option(argument, *path)->required()->check(CLI::ExistingDirectory)->type_name("DIR");
  command->callback([path, act, &chosen] { chosen = [path, act](Session&) { return act(*path); }; });
}

void add_export(CLI::App& checkpoint, Action& chosen) {
  CLI::App* out = checkpoint.add_subcommand("export", "Write a run's weights, with its config, as a safetensors file");
  auto to = std::make_shared<ExportFlags>();
  out->add_option("--run", to->run, "Folder of the run (training.directory)")->required()->type_name("DIR");
  out->add_option("--file", to->file, "The .safetensors file")->required()->type_name("FILE");
  out->add_option("--names", to->names, "Names and layouts: ours (NHWC), or those of score_sde_pytorch (NCHW)")
      ->check(CLI::IsMember({"ours", "reference"}))
      ->capture_default_str();
  out->add_option("--weights", to->weights, "The averaged weights, or the current ones that they are averages of")
      ->check(CLI::IsMember({"averaged", "current"}))
      ->capture_default_str();
  out->add_option("--step", to->step, "Use the checkpoint of this step (default: the newest)")->check(at_least(0));
  out->callback([to, &chosen] { chosen = [to](Session& session) { return export_weights(*to, session); }; });
}

void add_import(CLI::App& checkpoint, Action& chosen) {
  CLI::App* in = checkpoint.add_subcommand(
      "import", "Make a run from a safetensors file, for evaluate, sample, train --resume and train --init-from");
  auto from = std::make_shared<ImportFlags>();
  in->add_option("--file", from->file, "The .safetensors file, with our names or those of score_sde_pytorch")
      ->required()
      ->type_name("FILE");
  in->add_option("--run", from->run, "Folder of the new run (training.directory)")->required()->type_name("DIR");
  in->add_option("--config", from->config, "Its config, where the file does not hold one: a file, or a preset")
      ->type_name("FILE|PRESET");
  in->add_option("--set", from->overrides, "Overrides of the config (repeatable)")->type_name("TEXT")->take_all();
  in->callback([from, &chosen] { chosen = [from](Session& session) { return import_weights(*from, session); }; });
}

}  // namespace

void add_checkpoint(CLI::App& app, Action& chosen) {
  CLI::App* checkpoint = app.add_subcommand("checkpoint", "What a run has saved, whether it is whole; export, import");
  checkpoint->require_subcommand(1);
  add(*checkpoint, chosen, "list", "All checkpoints of a run, newest first", "run", list);
  add(*checkpoint, chosen, "show", "One checkpoint: its sections, parameters, state and config", "checkpoint", show);
  add(*checkpoint, chosen, "verify", "Read every byte of a checkpoint and compare its checksums", "checkpoint", verify);
  add_export(*checkpoint, chosen);
  add_import(*checkpoint, chosen);
}

}  // namespace launch
