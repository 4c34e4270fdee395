// The process that runs a command, and what commands begin with: configs, and where they may write.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "distributed/communicator.h"
#include "kernels/device.h"

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

/// --device and --tiles of the commands that compute, and --share-gpus of those on several ranks.
struct DeviceFlags {
  std::string device = "cpu", tiles;
  bool share_gpus = false;
};

/// The device that --device names: "cpu", "cuda" or "auto", with the tiles of the file --tiles. Rank 0 says which it
/// became, and why, unless "cpu" was asked for. Throws InputError as distributed::choose_device and kernels::read_tiles
/// say. Collective.
std::shared_ptr<kernels::Device> open_device(const DeviceFlags& flags, int threads,
                                             distributed::Communicator& communicator);

/// Says, on rank 0, where the activations of the config's field are BFLOAT16 on a CPU that has no instructions for it.
void say_if_slow(const char* field, core::config::Activations activations, const kernels::Device& device,
                 distributed::Communicator& communicator);

/// How ranks exchange gradients, as --collectives says: "auto", "nccl" or "mpi". Where there are GPUs, rank 0 says what
/// it became. Throws InputError as distributed::make_collectives says. Collective.
std::unique_ptr<kernels::Collectives> open_collectives(const std::string& flag, const DeviceFlags& flags,
                                                       distributed::Communicator& communicator,
                                                       const std::shared_ptr<kernels::Device>& device);

/// --config and --set of the commands that read a config.
struct ConfigFlags {
  std::string config;
  std::vector<std::string> overrides;
};

/// Throws InputError under mpirun or srun with more than one process.
void require_one_process(Session& session, const char* command);

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
