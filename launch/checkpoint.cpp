// scoremle checkpoint: what a run has saved, whether it is whole, and its weights as files of other programs.
#include <iostream>

#include "core/storage/file_io.h"
#include "distributed/checkpoint_report.h"
#include "launch/checkpoint_files.h"
#include "launch/command.h"

namespace launch {
namespace {

/// FileError is how the checkpoint files say that they are wrong: here that is wrong input.
template <typename F>
int with_file_errors(F&& f) {
  try {
    return f();
  } catch (const core::storage::FileError& error) {
    throw kernels::InputError(error.what());
  }
}

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
  command->callback([path, act, &chosen] {
    chosen = [path, act](Session&) { return with_file_errors([&] { return act(*path); }); };
  });
}

}  // namespace

void add_checkpoint(CLI::App& app, Action& chosen) {
  CLI::App* checkpoint = app.add_subcommand("checkpoint", "What a run has saved, whether it is whole; export, import");
  checkpoint->require_subcommand(1);
  add(*checkpoint, chosen, "list", "All checkpoints of a run, newest first", "run", list);
  add(*checkpoint, chosen, "show", "One checkpoint: its sections, parameters, state and config", "checkpoint", show);
  add(*checkpoint, chosen, "verify", "Read every byte of a checkpoint and compare its checksums", "checkpoint", verify);
  add_checkpoint_files(*checkpoint, chosen);
}

}  // namespace launch
