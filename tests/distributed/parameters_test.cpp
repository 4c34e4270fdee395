#include "distributed/parameters.h"

#include <gtest/gtest.h>

#include "tests/distributed/thread_communicator.h"

namespace distributed::testing {
namespace {

TEST(Layout, PadsEveryTensorTo64Elements) {
  const Layout layout = make_layout(std::vector<NamedShape>{{"a", {3, 5}}, {"none", {0}}, {"b", {64}}, {"c", {65}}});
  ASSERT_EQ(layout.tensors.size(), 4);
  EXPECT_EQ(layout.tensors[0].count, 15);
  EXPECT_EQ(layout.tensors[1].offset, 64);
  EXPECT_EQ(layout.tensors[2].offset, 64);
  EXPECT_EQ(layout.tensors[3].offset, 128);
  EXPECT_EQ(layout.total, 256);
}

TEST(Layout, RefusesTheSameNameTwice) {
  EXPECT_THROW(make_layout(std::vector<NamedShape>{{"a", {1}}, {"a", {2}}}), std::logic_error);
}

TEST(ShardRange, TilesTheSpaceEvenlyToOneBlock) {
  for (const std::int64_t total : {0, 64, 128, 640, 64 * 1001}) {
    for (int world = 1; world <= 17; ++world) {
      std::int64_t end = 0;
      for (int rank = 0; rank < world; ++rank) {
        const Range range = shard_range(total, rank, world);
        EXPECT_EQ(range.begin, end);
        EXPECT_EQ(range.begin, total * rank / world / 64 * 64);
        EXPECT_LE(std::abs(range.size() - total / world), 64);
        end = range.end;
      }
      EXPECT_EQ(end, total);
    }
  }
}

TEST(Parameters, HoldsTheOptimisersStateOnlyOfItsShard) {
  const Layout layout = make_layout(std::vector<NamedShape>{{"a", {1000}}});
  const Parameters whole(layout, Sharding::none, 1, 3), part(layout, Sharding::optimizer, 1, 3);
  EXPECT_EQ(whole.range(), (Range{0, 1024}));
  EXPECT_EQ(part.range(), (Range{320, 640}));
  EXPECT_EQ(whole.shard(), part.shard());
  EXPECT_EQ(part.m().size(), 320);
  EXPECT_EQ(part.ema().size(), 320);
  EXPECT_EQ(part.weights().size(), 1024);
  EXPECT_EQ(whole.m().size(), 1024);
  for (const auto flat : {part.weights(), part.gradient(), part.m(), part.v(), part.ema()}) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(flat.data()) % 256, 0);
    for (const float value : flat) ASSERT_EQ(value, 0);
  }
}

TEST(GatherShards, GivesEveryRankAll) {
  for (const int ranks : {1, 2, 3, 7}) {
    for (const std::int64_t total : {64, 128, 640, 6400}) {
      on_ranks(ranks, [&](Communicator& communicator) {
        std::vector<float> flat(total, -1);
        const Range own = shard_range(total, communicator.rank(), communicator.size());
        for (std::int64_t i = own.begin; i < own.end; ++i) flat[i] = static_cast<float>(i);
        gather_shards(communicator, flat);
        for (std::int64_t i = 0; i < total; ++i) ASSERT_EQ(flat[i], static_cast<float>(i));
      });
    }
  }
}

}  // namespace
}  // namespace distributed::testing
