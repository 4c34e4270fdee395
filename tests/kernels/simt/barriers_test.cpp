#include <numeric>

#include "tests/kernels/simt/devices.h"

namespace kernels::test {
namespace {

namespace probe = emulated::probe;

TEST(Barriers, OrderThreadsByTheirIndices) {
  in_every_order([](void* stream) {
    for (unsigned threads : {1u, 31u, 48u, 1024u}) {
      std::vector<int> x(threads), y(threads);
      std::iota(x.begin(), x.end(), 0);
      probe::scan(stream, threads, x.data(), y.data());
      for (unsigned i = 0; i < threads; ++i) ASSERT_EQ(y[i], static_cast<int>(i * (i + 1) / 2));
    }
  });
}

TEST(Barriers, CountVotesOfThreeDimensionalBlocks) {
  in_every_order([](void* stream) {
    std::vector<int> votes(12);
    probe::count_votes(stream, votes.data());
    EXPECT_EQ(votes, std::vector<int>(12, 52 + 1000));
  });
}

TEST(Barriers, NameWhoExitedBeforeThem) {
  expect_mistake(probe::some_threads_exit_before_a_barrier,
                 {"kernel exit_above:", "divergent __syncthreads: thread 0 waits at barriers.cu:9",
                  "thread 40 and 23 more exited", "block ("});
  expect_mistake(probe::all_but_the_first_exit, {"thread 0 waits at barriers.cu:9", "thread 1 and 62 more exited"});
}

TEST(Barriers, NameTheTwoPlacesOfADivergence) {
  expect_mistake(probe::barriers_in_two_places, {"thread 0 waits at barriers.cu:14, thread 40 at barriers.cu:16"});
}

TEST(Barriers, NameWhatADeadlockWaitsFor) {
  expect_mistake(
      probe::half_a_warp_shuffles_half_waits,
      {"kernel shuffle_or_wait: deadlock:", "16 threads, the first of them 16, in __syncthreads at barriers.cu:24",
       "16 threads, the first of them 0, in a warp's call at barriers.cu:22", "block (0,0,0)"});
}

TEST(Launches, AreRefusedAsTheGpuRefusesThem) {
  const auto expect = [](unsigned grid_y, unsigned threads, unsigned block_z, std::size_t bytes, const char* text) {
    simt::Device device;
    const std::string got =
        mistake(device, [&](void* stream) { probe::launch_with(stream, grid_y, threads, block_z, bytes); });
    EXPECT_TRUE(*text == '\0' ? got.empty() : got.find(text) != std::string::npos) << got;
  };
  expect(65535, 1, 1, 0, "");
  expect(65536, 1, 1, 0, "kernel nothing: a grid of 1 x 65536 x 1 blocks");
  expect(0, 1, 1, 0, "a grid of 1 x 0 x 1 blocks");
  expect(1, 1024, 1, 0, "");
  expect(1, 1025, 1, 0, "a block of 1025 x 1 x 1 threads; 1 to 1024 can be");
  expect(1, 0, 1, 0, "a block of 0 x 1 x 1 threads");
  expect(1, 1, 65, 0, "a block of 1 x 1 x 65 threads");
  expect(1, 1, 1, 232448, "");
  expect(1, 1, 1, 232449, "232449 bytes of dynamic shared memory, of at most 232448");
  EXPECT_THROW(probe::launch_with(nullptr, 1, 1, 1, 0), simt::Error);
}

}  // namespace
}  // namespace kernels::test
