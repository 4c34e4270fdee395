// Which device each rank computes on.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "core/program/storage.h"
#include "distributed/communicator.h"
#include "kernels/device.h"

namespace distributed {

enum class DeviceChoice {
  cpu,
  cuda,       ///< a GPU for each rank, or none runs
  automatic,  ///< the same where it can be, the CPU on all ranks otherwise
};

struct Chosen {
  std::shared_ptr<kernels::Device> device;
  std::string reason;  // of automatic for taking the CPU
};

/// The CPU with so many threads, or a GPU that no other rank of the node takes. Throws InputError on every rank, one
/// line, where some rank can have none. Collective.
Chosen choose_device(DeviceChoice choice, int threads, Communicator& communicator);

/// For each process of one node which of the GPUs that it sees, given by their ids, it takes: the first that none
/// before it takes, so that it does not matter whether each sees all of them or only its own. -1 where none is left.
std::vector<int> share_out(std::span<const std::vector<std::string>> visible);

/// How the config's training stores activations on this device. Throws InputError where the device cannot.
core::program::Storage storage_of(const core::config::RunConfig& config, const kernels::Device& device);

}  // namespace distributed
