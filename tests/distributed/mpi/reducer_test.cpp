#include "tests/distributed/reducer_cases.h"

#include "kernels/check.h"
#include "tests/distributed/mpi/world.h"

namespace distributed::testing {
namespace {

// Compared with the tree itself, so that equality here is equality between all numbers of ranks.
TEST(MpiReducer, SumsAndMovesGradients) {
  expect_collectives(world(), on_cpu);
  expect_tree_sum(on_cpu(world()), awkward_layout(30000), 9, Sharding::optimizer);
  expect_bucket_sum(on_cpu(world()), awkward_layout(30000), 13, Sharding::none);
}

TEST(MpiReducer, RefusesFewerMicroBatchesThanRanks) {
  const int too_few = world().size() - 1;
  EXPECT_THROW(expect_tree_sum(on_cpu(world()), awkward_layout(0), too_few, Sharding::none), kernels::InputError);
}

TEST(MpiGatherShards, GivesEveryRankAll) {
  for (const std::int64_t total : {0, 64, 128, 640, 64000}) {
    std::vector<float> flat(total, -1);
    const Range own = shard_range(total, world().rank(), world().size());
    for (std::int64_t i = own.begin; i < own.end; ++i) flat[i] = static_cast<float>(i);
    gather_shards(world(), flat);
    for (std::int64_t i = 0; i < total; ++i) ASSERT_EQ(flat[i], static_cast<float>(i));
  }
}

}  // namespace
}  // namespace distributed::testing
