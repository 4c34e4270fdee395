#include <cmath>
#include <numeric>

#include "tests/kernels/simt/devices.h"

namespace kernels::test {
namespace {

namespace probe = emulated::probe;

TEST(SharedMemory, IsNotANumberUntilItsBlockWritesIt) {
  in_every_order([](void* stream) {
    std::vector<float> out(4);
    probe::read_shared_unwritten(stream, out.data());
    for (float value : out) EXPECT_TRUE(std::isnan(value));
  });
}

TEST(SharedMemory, HasItsLimits) {
  expect_mistake(probe::use_much_static_shared, {"kernel much: 50176 bytes of static shared memory, of at most 49152"});
  expect_mistake([](void* stream) { probe::use_dynamic_shared(stream, 0); },
                 {"kernel dynamic: the kernel uses dynamic shared memory and was launched with 0 bytes of it"});
  simt::Device device;
  EXPECT_EQ(mistake(device, [](void* stream) { probe::use_dynamic_shared(stream, 128); }), "");
}

TEST(Atomics, AreDoneOneAfterTheOther) {
  in_every_order([](void* stream) {
    std::vector<int> out = {0, -1, 999, -1, 7, 0};
    probe::use_atomics(stream, out.data());
    EXPECT_EQ(out[0], 255 * 256 / 2);
    EXPECT_EQ(out[1], 255);
    EXPECT_EQ(out[2], 0);
    EXPECT_TRUE(out[3] >= 0 && out[3] < 256);
    EXPECT_EQ(out[4], 8);
    EXPECT_EQ(out[5], 1);
  });
}

TEST(Atomics, LetTheLastBlockFinish) {
  in_every_order([](void* stream) {
    std::vector<float> x(320), partial(5, NAN);
    std::iota(x.begin(), x.end(), 1.0f);
    unsigned arrived = 0;
    float total = NAN;
    probe::add_up_in_the_last_block(stream, 5, x.data(), partial.data(), &arrived, &total);
    EXPECT_EQ(total, 320 * 321 / 2);
  });
}

/// Which of the 256 threads of four blocks is the last to exchange.
int last_thread(const simt::Options& options) {
  simt::Device device(options);
  std::vector<int> out(6);
  probe::use_atomics(&device, out.data());
  return out[3];
}

TEST(Orders, AreWhatTheyAreCalled) {
  EXPECT_EQ(last_thread({.order = simt::Order::forward}), 255);
  EXPECT_EQ(last_thread({.order = simt::Order::reverse}), 0);
}

TEST(Orders, AreAFunctionOfTheirSeedWhereRandom) {
  std::vector<int> last;
  for (std::uint64_t seed : {3, 3, 4, 5, 6}) last.push_back(last_thread({.order = simt::Order::random, .seed = seed}));
  EXPECT_EQ(last[0], last[1]);
  EXPECT_FALSE(last[2] == last[0] && last[3] == last[0] && last[4] == last[0]);
}

}  // namespace
}  // namespace kernels::test
