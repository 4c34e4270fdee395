// Gradients are summed bucket by bucket, while the backward pass goes on.
#pragma once

#include <vector>

#include "distributed/parameters.h"

namespace distributed {

/// Whole tensors [first_tensor, last_tensor] of a layout, and the range they fill.
struct Bucket {
  Range range;
  int first_tensor, last_tensor;
};

/// Buckets of at least `elements` elements (but the last, which is what remains) in the order in which a backward pass
/// completes them: bucket 0 is the end of the flat space, for layouts are in the order of the forward pass.
std::vector<Bucket> make_buckets(const Layout& layout, std::int64_t elements);

/// What each rank owns of a range of `total` elements.
std::vector<Range> shards_of(Range range, std::int64_t total, int world);

}  // namespace distributed
