// Of a program whose kernels were compiled with -fsanitize=thread: each race is found, in whatever order threads run.
#include "tests/kernels/simt/devices.h"

namespace kernels::test {
namespace {

using emulated::probe::Pair;

std::string race(Pair pair, const simt::Options& options) {
  simt::Device device(options);
  alignas(16) float memory[128] = {};
  return mistake(device, [&](void* stream) { emulated::probe::access_twice(stream, pair, memory); });
}

TEST(Races, AreNotSeenWhereAccessesWaitForEachOther) {
  for (const simt::Options& options : orders()) {
    for (const Pair pair : {Pair::barrier_between, Pair::warp_barrier_within_a_warp, Pair::neighbouring_bytes,
                            Pair::two_blocks_add_atomically})
      EXPECT_EQ(race(pair, options), "") << static_cast<int>(pair);
  }
}

TEST(Races, AreNamedByThreadsAndLines) {
  struct Case {
    Pair pair;
    std::vector<std::string> words;
  };
  const std::vector<Case> cases = {
      {Pair::nothing_between,
       {"kernel neighbours<", "data race on shared memory: thread ", "of block (0,0,0)", "writes at races.cu:11",
        "reads at races.cu:15", "with no barrier between"}},
      {Pair::warp_barrier_across_warps, {"shared memory", "races.cu:11", "races.cu:15"}},
      {Pair::shuffle_between, {"shared memory", "races.cu:11", "races.cu:15"}},
      {Pair::a_byte_of_a_word,
       {"global memory", "thread 0 ", "thread 1 ", "writes at races.cu:48", "reads at races.cu:49"}},
      {Pair::two_blocks_add, {"global memory", "block (0,0,0)", "block (1,0,0)", "races.cu:19"}},
      {Pair::plain_read_of_an_atomic_sum,
       {"global memory", "atomically writes at races.cu:27", "reads at races.cu:28"}},
      {Pair::two_threads_write_one_value, {"global memory", "thread 0 ", "thread 1 ", "writes at races.cu:32"}},
      {Pair::asynchronous_copy_without_barrier, {"shared memory", "races.cu:40"}},
  };
  for (const simt::Options& options : orders()) {
    for (const auto& [pair, words] : cases) {
      const std::string text = race(pair, options);
      for (const std::string& word : words)
        EXPECT_NE(text.find(word), std::string::npos) << static_cast<int>(pair) << ": '" << word << "' in " << text;
    }
  }
}

}  // namespace
}  // namespace kernels::test
