// The squared norm of a sharded flat vector, with the same bits on every number of ranks.
#pragma once

#include <span>

#include "distributed/communicator.h"

namespace distributed {

/// The sum of squares of `flat` in double precision: by blocks of 64 elements, which no shard border cuts, these by
/// chunks of 64 Ki elements, these in order. Reads only this rank's shard (parameters.h: shard_range). Collective.
double squared_norm(Communicator& communicator, std::span<const float> flat);

}  // namespace distributed
