// What the subcommands of the binary share: each adds its own flags to the parser and says what to do when it is
// chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "distributed/communicator.h"
#include "kernels/check.h"

namespace launch {

/// The process as its commands see it. Joined to the other ranks only when a command asks for them, so that wrong usage
/// and wrong configs end every rank by itself, before anything is shared.
class Session {
 public:
  explicit Session(const char* program) : program_(program) {}
  distributed::Communicator& communicator();
  distributed::Communicator* joined() { return communicator_.get(); }
  const char* program() const { return program_; }

 private:
  const char* program_;
  std::unique_ptr<distributed::Communicator> communicator_;
};

/// Returns the exit status.
using Action = std::function<int(Session&)>;

void add_train(CLI::App& app, Action& chosen);
void add_evaluate(CLI::App& app, Action& chosen);
void add_sample(CLI::App& app, Action& chosen);
void add_report(CLI::App& app, Action& chosen);
void add_data(CLI::App& app, Action& chosen);
void add_checkpoint(CLI::App& app, Action& chosen);
void add_bench(CLI::App& app, Action& chosen);
/// Of bench.
void add_bench_data(CLI::App& bench, Action& chosen);

/// --config and --set of the commands that read a config.
struct ConfigFlags {
  std::string config;
  std::vector<std::string> overrides;
};
void add_config_flags(CLI::App& command, ConfigFlags& flags);

/// --trace FILE.
void add_trace_flag(CLI::App& command, std::string& file, const std::string& help);

/// Throws InputError under mpirun or srun with more than one process.
void require_one_process(Session& session, const char* command);

/// A flag's value must be a whole number of at least `low`.
CLI::Validator at_least(std::int64_t low);

/// Throws InputError where a file of this name could not be written: asked before the work whose result it is to hold.
void require_writable(const std::filesystem::path& file);

/// Folders that presets are looked for in: beside the installed binary, in the source tree of a build, and in
/// ./configs.
std::vector<std::filesystem::path> preset_folders(const char* program);

core::config::RunConfig load(const ConfigFlags& flags, const Session& session);

/// The effective config that a run saved in its folder, with overrides. Throws InputError for those that do not fit the
/// trained network.
core::config::RunConfig load_run(const std::filesystem::path& run, const std::vector<std::string>& overrides,
                                 const Session& session);

}  // namespace launch
