// Which device each rank computes on.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "kernels/device.h"

namespace distributed {

enum class DeviceChoice {
  cpu,
  cuda,       ///< a GPU for each rank, or none runs
  automatic,  ///< the same where it can be, the CPU on all ranks otherwise
};

/// Whether ranks of a node may have a GPU in common where there are fewer GPUs than ranks.
enum class GpuSharing { no, yes };

struct Chosen {
  std::shared_ptr<kernels::Device> device;
  std::string reason;  // of automatic for taking the CPU
};

/// The CPU with so many threads, or a GPU, by default one that no other rank of the node takes. Throws InputError on
/// every rank, one line, where some rank can have none. Collective.
Chosen choose_device(DeviceChoice choice, int threads, Communicator& communicator, GpuSharing sharing = GpuSharing::no);

/// For each process of one node which of the GPUs that it sees, given by their ids, it takes: the first that none
/// before it takes, so that it does not matter whether each sees all of them or only its own. Where none is left, -1
/// or, sharing, the first of those that the fewest take.
std::vector<int> share_out(std::span<const std::vector<std::string>> visible, GpuSharing sharing);

/// Throws InputError where share_out left processes of this node without a GPU.
void require_one_each(std::span<const int> taken, const std::string& node);

}  // namespace distributed
