// Packed sets of images on a disk of each node.
#pragma once

#include "core/config/run.pb.h"
#include "distributed/communicator.h"

namespace launch {

/// The source; a packed set that has a stage_to at its copy there, which the first rank of each node makes. Collective.
/// Throws InputError as core::data::stage says.
core::config::Source staged(core::config::Source source, distributed::Communicator& communicator);

}  // namespace launch
