#include "distributed/communicator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "tests/distributed/mpi/world.h"

namespace distributed::testing {
namespace {

// A test that believes it runs on several ranks and does not would prove little.
TEST(Communicator, HasTheRanksThatTheLauncherStarted) {
  const char* const launched = std::getenv("OMPI_COMM_WORLD_SIZE");
  EXPECT_EQ(world().size(), launched ? std::atoi(launched) : 1);
  EXPECT_LT(world().rank(), world().size());
  EXPECT_EQ(world().name(), fmt::format("rank {} of {} on {}", world().rank(), world().size(), world().node()));
  EXPECT_FALSE(world().node().empty());
}

template <typename T>
void expect_all_reduce() {
  const int size = world().size();
  const T mine = static_cast<T>(world().rank() + 1);
  std::vector<T> sum{mine, 10 * mine}, least{mine, -mine}, most{mine, -mine};
  world().all_reduce(std::span(sum), Combine::sum);
  world().all_reduce(std::span(least), Combine::min);
  world().all_reduce(std::span(most), Combine::max);
  const T total = static_cast<T>(size * (size + 1) / 2);
  EXPECT_EQ(sum, (std::vector<T>{total, 10 * total}));
  EXPECT_EQ(least, (std::vector<T>{1, static_cast<T>(-size)}));
  EXPECT_EQ(most, (std::vector<T>{static_cast<T>(size), -1}));
}

TEST(Communicator, AllReduceCombinesEveryType) {
  expect_all_reduce<double>();
  expect_all_reduce<float>();
  expect_all_reduce<std::int64_t>();
}

TEST(Communicator, BroadcastGivesTheRootsValues) {
  for (int root = 0; root < world().size(); ++root) {
    std::vector<float> values(3, static_cast<float>(world().rank()));
    world().broadcast(std::span(values), root);
    EXPECT_EQ(values, std::vector<float>(3, static_cast<float>(root)));
    std::string text = world().rank() == root ? std::string(root * 100, 'x') + '\0' + 'y' : "other";
    world().broadcast(text, root);
    EXPECT_EQ(text, std::string(root * 100, 'x') + '\0' + 'y');
  }
}

TEST(Communicator, AllGatherPutsUnevenPiecesInOrder) {
  std::vector<std::int64_t> counts(world().size());
  std::iota(counts.begin(), counts.end(), 0);  // rank 0 has nothing
  const std::vector<double> mine(world().rank(), world().rank());
  std::vector<double> all(std::accumulate(counts.begin(), counts.end(), std::int64_t{0})), expected;
  for (int rank = 0; rank < world().size(); ++rank) expected.insert(expected.end(), rank, rank);
  world().all_gather(std::span<const double>(mine), std::span(all), counts);
  EXPECT_EQ(all, expected);

  const std::vector<std::string> texts = world().all_gather(std::string(world().rank(), 'a'));
  for (int rank = 0; rank < world().size(); ++rank) EXPECT_EQ(texts[rank], std::string(rank, 'a'));
}

TEST(Communicator, AllToAllSendsUnevenPieces) {
  // Rank r sends rank q the number 100 r + q, q times.
  const int rank = world().rank(), size = world().size();
  std::vector<float> out, in(size * rank);
  kernels::Pieces<const float> send;
  kernels::Pieces<float> receive;
  for (int other = 0; other < size; ++other) {
    send.offsets.push_back(std::ssize(out));
    send.counts.push_back(other);
    out.insert(out.end(), other, static_cast<float>(100 * rank + other));
    receive.offsets.push_back(other * rank);
    receive.counts.push_back(rank);
  }
  send.values = out;
  receive.values = in;
  world().start_all_to_all(send, receive);
  world().wait();
  for (int other = 0; other < size; ++other) {
    for (int i = 0; i < rank; ++i) EXPECT_EQ(in[other * rank + i], static_cast<float>(100 * other + rank));
  }
}

TEST(Communicator, StartedCollectivesEndByWait) {
  const int size = world().size();
  const float total = static_cast<float>(size * (size + 1) / 2), mine = static_cast<float>(world().rank() + 1);
  std::vector<std::vector<float>> everywhere(5, std::vector<float>(10000, mine)),
      at_root(size, std::vector<float>(100, mine));
  for (auto& values : everywhere) {
    world().start_all_reduce(values);
    world().progress();
  }
  for (int root = 0; root < size; ++root) world().start_reduce(at_root[root], root);
  for (int i = 0; i < 100; ++i) world().progress();
  world().wait();
  for (const auto& values : everywhere) EXPECT_EQ(values, std::vector<float>(10000, total));
  for (int root = 0; root < size; ++root) EXPECT_EQ(at_root[root][99], root == world().rank() ? total : mine) << root;
  world().progress();
  world().wait();
}

}  // namespace
}  // namespace distributed::testing
