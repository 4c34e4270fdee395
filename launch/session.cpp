#include "launch/session.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/config/load.h"
#include "distributed/collectives.h"
#include "distributed/devices.h"

namespace launch {

distributed::Communicator& Session::communicator() {
  if (!communicator_) communicator_ = distributed::make_communicator();
  return *communicator_;
}

std::shared_ptr<kernels::Device> open_device(const DeviceFlags& flags, int threads,
                                             distributed::Communicator& communicator) {
  using distributed::DeviceChoice;
  using distributed::GpuSharing;
  kernels::TileTable tiles;
  if (!flags.tiles.empty()) tiles = kernels::read_tiles(flags.tiles);
  if (flags.device == "cpu") return distributed::choose_device(DeviceChoice::cpu, threads, communicator).device;
  const auto chosen =
      distributed::choose_device(flags.device == "cuda" ? DeviceChoice::cuda : DeviceChoice::automatic, threads,
                                 communicator, flags.share_gpus ? GpuSharing::yes : GpuSharing::no);
  chosen.device->choose_tiles(kernels::tiles_of(std::move(tiles)));
  if (communicator.rank() == 0) {
    fmt::print("device: {}{}\n", chosen.device->name(), chosen.reason.empty() ? "" : ", for " + chosen.reason);
    std::fflush(stdout);
  }
  return chosen.device;
}

void say_if_slow(const char* field, core::config::Activations activations, const kernels::Device& device,
                 distributed::Communicator& communicator) {
  if (activations != core::config::BFLOAT16 || device.multiplies_bf16() || communicator.rank() != 0) return;
  fmt::print("{}: BFLOAT16 takes longer than FLOAT32 on this CPU, which has no instructions for it (avx512_bf16)\n",
             field);
  std::fflush(stdout);
}

std::unique_ptr<kernels::Collectives> open_collectives(const std::string& flag, const DeviceFlags& flags,
                                                       distributed::Communicator& communicator,
                                                       const std::shared_ptr<kernels::Device>& device) {
  using distributed::CollectivesChoice;
  const bool automatic = flag == "auto" && !flags.share_gpus;  // NCCL refuses to share
  const CollectivesChoice choice = automatic        ? CollectivesChoice::automatic
                                   : flag == "nccl" ? CollectivesChoice::nccl
                                                    : CollectivesChoice::mpi;
  auto collectives = distributed::make_collectives(choice, communicator, device);
  if (communicator.rank() == 0 && device->residence() == kernels::Residence::device)
    fmt::print("gradients are exchanged by {}\n", collectives->name());
  return collectives;
}

void require_one_process(Session& session, const char* command) {
  kernels::require(session.communicator().size() == 1, "{}: is work for one process: start it without mpirun", command);
}

void require_writable(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  kernels::require(!std::filesystem::is_directory(file), "{}: is a folder, a file is to be written there",
                   file.string());
  kernels::require(access(folder.c_str(), W_OK) == 0, "{}: cannot be written: {}: {}", file.string(), folder.string(),
                   std::strerror(errno));
}

std::vector<std::filesystem::path> preset_folders(const char* program) {
  std::error_code none;
  std::filesystem::path binary = std::filesystem::read_symlink("/proc/self/exe", none);
  if (binary.empty()) binary = program;
  const std::filesystem::path folder = binary.parent_path();
  return {folder.parent_path() / "share" / "scoremle" / "configs", folder.parent_path() / "configs", "configs"};
}

core::config::RunConfig load(const ConfigFlags& flags, const Session& session) {
  return core::config::load_valid(flags.config, flags.overrides, preset_folders(session.program()));
}

core::config::RunConfig load_run(const std::filesystem::path& run, const std::vector<std::string>& overrides,
                                 const Session& session) {
  const std::filesystem::path file = run / "config.textproto";
  kernels::require(std::filesystem::exists(file), "{}: is not the folder of a run (it has no config.textproto)",
                   run.string());
  core::config::RunConfig config = core::config::load_valid(file, overrides, preset_folders(session.program()));
  kernels::require(
      core::config::network_text(config) ==
          core::config::network_text(core::config::load_valid(file, {}, preset_folders(session.program()))),
      "{}: --set changes what the network was trained as; model, sde (but for smallest_time), data.image_size, "
      "data.channels and data.pixel_range must stay as they are",
      run.string());
  config.mutable_training()->set_directory(run.string());  // a run may have been moved
  return config;
}

}  // namespace launch
