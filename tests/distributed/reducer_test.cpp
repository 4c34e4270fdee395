#include "distributed/reducer.h"

#include <gtest/gtest.h>

#include "kernels/check.h"
#include "tests/distributed/reducer_cases.h"
#include "tests/distributed/thread_communicator.h"

namespace distributed::testing {
namespace {

TEST(Reducer, DeterministicSumHasTheTreesBitsOnEveryNumberOfRanks) {
  for (const int micro_batches : {1, 2, 3, 5, 7, 8, 12, 24, 25, 31}) {
    for (const int ranks : {1, 2, 3, 4, 5, 6, 7, 8}) {
      if (ranks > micro_batches) continue;
      for (const Sharding sharding : {Sharding::none, Sharding::optimizer}) {
        on_ranks(ranks,
                 [&](Communicator& c) { expect_tree_sum(on_cpu(c), awkward_layout(500), micro_batches, sharding); });
      }
    }
  }
}

TEST(Reducer, DeterministicSumWithEmptyShardsAndWithManyChunks) {
  for (const int ranks : {1, 3, 8}) {
    on_ranks(ranks, [&](Communicator& c) { expect_tree_sum(on_cpu(c), awkward_layout(0), 9, Sharding::optimizer); });
    on_ranks(ranks,
             [&](Communicator& c) { expect_tree_sum(on_cpu(c), awkward_layout(30000), 9, Sharding::optimizer); });
  }
}

// The test above proves something only if another order gives other bits.
TEST(Reducer, PseudoGradientsTellOrdersApart) {
  const Layout layout = awkward_layout(500);
  const std::vector<float> tree = summed_in_tree(layout, 24);
  std::int64_t different = 0;
  for (std::int64_t i = 0; i < layout.total; ++i) {
    float forward = 0;
    for (int m = 0; m < 24; ++m) forward += pseudo_gradient(m, i);
    different += forward != tree[i];
  }
  EXPECT_GT(different, layout.total / 4);
}

TEST(Reducer, FastSumIsRightToRounding) {
  for (const int ranks : {1, 2, 3, 5}) {
    for (const int micro_batches : {5, 12}) {
      for (const Sharding sharding : {Sharding::none, Sharding::optimizer}) {
        on_ranks(ranks,
                 [&](Communicator& c) { expect_bucket_sum(on_cpu(c), awkward_layout(6000), micro_batches, sharding); });
      }
    }
  }
}

TEST(Reducer, BucketsAreWholeTensorsFromTheEnd) {
  const Layout layout =
      make_layout(std::vector<NamedShape>{{"a", {64}}, {"b", {100}}, {"c", {10}}, {"d", {300}}, {"e", {1}}});
  const std::vector<Bucket> buckets = make_buckets(layout, 150);
  ASSERT_EQ(buckets.size(), 3);
  EXPECT_EQ(buckets[0].range, (Range{256, 640}));
  EXPECT_EQ(buckets[0].first_tensor, 3);
  EXPECT_EQ(buckets[0].last_tensor, 4);
  EXPECT_EQ(buckets[1].range, (Range{64, 256}));
  EXPECT_EQ(buckets[2].range, (Range{0, 64}));
  EXPECT_EQ(buckets[2].first_tensor, 0);
}

TEST(Reducer, RefusesFewerMicroBatchesThanRanks) {
  try {
    on_ranks(3, [&](Communicator& c) { expect_tree_sum(on_cpu(c), awkward_layout(0), 2, Sharding::none); });
    FAIL() << "accepted";
  } catch (const kernels::InputError& error) {
    EXPECT_STREQ(
        error.what(),
        "training.micro_batches is 2 but there are 3 ranks: every rank needs one; use at most 2 ranks, or more "
        "and smaller micro-batches");
  }
}

TEST(Reducer, RefusesMicroBatchesOutOfOrder) {
  EXPECT_THROW(on_ranks(1,
                        [](Communicator& c) {
                          Ranks ranks = on_cpu(c);
                          ReducerOnRanks on(ranks, awkward_layout(0), Sharding::none, Reduction::deterministic, 4, 64);
                          on.reducer.add(1);
                        }),
               std::logic_error);
}

TEST(SquaredNorm, HasTheSameBitsOnEveryNumberOfRanks) {
  for (const std::int64_t total : {0, 64, 640, 65536, 65600, 200000 / 64 * 64, 262144}) {
    for (const int ranks : {1, 2, 3, 4, 5, 7, 8})
      on_ranks(ranks, [&](Communicator& c) { expect_squared_norm(on_cpu(c), total); });
  }
}

}  // namespace
}  // namespace distributed::testing
