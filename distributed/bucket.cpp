#include "distributed/bucket.h"

#include <algorithm>

namespace distributed {

std::vector<Bucket> make_buckets(const Layout& layout, std::int64_t elements) {
  std::vector<Bucket> buckets;
  std::int64_t end = layout.total;
  int last = static_cast<int>(layout.tensors.size()) - 1;
  for (int tensor = last; tensor >= 0; --tensor) {
    const std::int64_t begin = layout.tensors[tensor].offset;
    if (end - begin < elements && tensor > 0) continue;
    buckets.push_back({{begin, end}, tensor, last});
    end = begin;
    last = tensor - 1;
  }
  return buckets;
}

std::vector<Range> shards_of(Range range, std::int64_t total, int world) {
  std::vector<Range> shards;
  for (int rank = 0; rank < world; ++rank) {
    const Range shard = shard_range(total, rank, world);
    const std::int64_t begin = std::clamp(shard.begin, range.begin, range.end);
    shards.push_back({begin, std::clamp(shard.end, begin, range.end)});
  }
  return shards;
}

}  // namespace distributed
