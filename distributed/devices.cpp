#include "distributed/devices.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "distributed/agreement.h"
#include "kernels/cuda/device.h"

namespace distributed {
namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

/// The GPUs that the ranks of this node see, by rank, and this rank's place among them.
struct Node {
  std::vector<std::vector<std::string>> visible;
  std::size_t place = 0;
};

Node node_of(Communicator& communicator, const std::string& ids) {
  const std::vector<std::string> nodes = communicator.all_gather(communicator.node()),
                                 all = communicator.all_gather(ids);
  Node node;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (nodes[rank] != communicator.node()) continue;
    if (static_cast<int>(rank) == communicator.rank()) node.place = node.visible.size();
    node.visible.push_back(words(all[rank]));
  }
  return node;
}

std::shared_ptr<kernels::Device> open_gpu(Communicator& communicator, GpuSharing sharing) {
  std::vector<std::string> ids;
  agree(communicator, [&] {
    for (const kernels::cuda::Gpu& gpu : kernels::cuda::gpus()) ids.push_back(gpu.id);
  });
  const Node node = node_of(communicator, fmt::format("{}", fmt::join(ids, " ")));
  const std::vector<int> taken = share_out(node.visible, sharing);
  std::shared_ptr<kernels::Device> device;
  agree(communicator, [&] {
    require_one_each(taken, communicator.node());
    device = kernels::cuda::open(taken[node.place]);
  });
  return device;
}

}  // namespace

std::vector<int> share_out(std::span<const std::vector<std::string>> visible, GpuSharing sharing) {
  std::map<std::string, int> takers;
  std::vector<int> choice;
  for (const std::vector<std::string>& ids : visible) {
    const auto best = std::ranges::min_element(ids, {}, [&](const std::string& id) { return takers[id]; });
    const bool has_one = best != ids.end() && (sharing == GpuSharing::yes || takers[*best] == 0);
    choice.push_back(has_one ? static_cast<int>(best - ids.begin()) : -1);
    if (has_one) ++takers[*best];
  }
  return choice;
}

void require_one_each(std::span<const int> taken, const std::string& node) {
  kernels::require(std::ranges::count(taken, -1) == 0,
                   "{} ranks were started on {}, where they see {} {}: start as many as there are GPUs (srun "
                   "--ntasks-per-node, mpirun --map-by ppr:N:node), let them share (train --share-gpus), or use "
                   "--device cpu",
                   taken.size(), node, std::ranges::max(taken) + 1, std::ranges::max(taken) == 0 ? "GPU" : "GPUs");
}

Chosen choose_device(DeviceChoice choice, int threads, Communicator& communicator, GpuSharing sharing) {
  if (choice == DeviceChoice::cpu) return {.device = kernels::make_cpu_device(threads), .reason = {}};
  try {
    return {.device = open_gpu(communicator, sharing), .reason = {}};
  } catch (const kernels::InputError& error) {
    if (choice == DeviceChoice::cuda) throw kernels::InputError(fmt::format("--device cuda: {}", error.what()));
    return {.device = kernels::make_cpu_device(threads), .reason = error.what()};
  }
}

}  // namespace distributed
