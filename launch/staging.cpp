#include "launch/staging.h"

#include <algorithm>

#include "core/data/pack.h"
#include "launch/trained.h"

namespace launch {

core::config::Source staged(core::config::Source source, distributed::Communicator& communicator) {
  if (!source.packed().has_stage_to()) return source;
  core::config::Packed& packed = *source.mutable_packed();
  const std::vector<std::string> nodes = communicator.all_gather(communicator.node());
  const auto first = std::ranges::find(nodes, communicator.node()) - nodes.begin();
  if (first == communicator.rank()) {
    if (first == 0) fmt::print(stderr, "copying {} to {} on every node\n", packed.path(), packed.stage_to());
    core::data::stage(packed.path(), packed.stage_to(), first == 0 ? progress_bar("shards") : nullptr);
  }
  communicator.barrier();
  packed.set_path(core::data::stage(packed.path(), packed.stage_to(), nullptr).string());
  return source;
}

}  // namespace launch
