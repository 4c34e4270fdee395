#include "launch/staging.h"

#include <algorithm>

#include "core/data/pack.h"

namespace launch {

core::config::Data stage_data(core::config::Data data, distributed::Communicator& communicator) {
  const std::vector<std::string> nodes = communicator.all_gather(communicator.node());
  const auto first = std::ranges::find(nodes, communicator.node()) - nodes.begin();
  std::vector<core::config::Packed*> staged;
  if (data.training().packed().has_stage_to()) staged.push_back(data.mutable_training()->mutable_packed());
  if (data.heldout().packed().has_stage_to()) staged.push_back(data.mutable_heldout()->mutable_packed());
  if (first == communicator.rank()) {
    for (const auto* packed : staged) core::data::stage(packed->path(), packed->stage_to());
  }
  communicator.barrier();
  for (auto* packed : staged) packed->set_path(core::data::stage(packed->path(), packed->stage_to()).string());
  return data;
}

}  // namespace launch
