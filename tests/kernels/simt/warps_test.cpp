#include "tests/kernels/simt/devices.h"

namespace kernels::test {
namespace {

namespace probe = emulated::probe;

/// The lane that is read, by the description in the CUDA programming guide.
int source(probe::Shuffle kind, int lane, int argument, int width) {
  const int section = lane / width * width;
  int from = 0;
  switch (kind) {
    case probe::Shuffle::read_lane:
      return section + argument % width;
    case probe::Shuffle::exclusive_or:
      from = lane ^ argument;
      return from < section + width ? from : lane;
    case probe::Shuffle::up:
      from = lane - argument;
      return from >= section ? from : lane;
    case probe::Shuffle::down:
      from = lane + argument;
      return from < section + width ? from : lane;
  }
  return -1;
}

TEST(Warps, ShuffleWithinTheirSections) {
  in_every_order([](void* stream) {
    for (const auto kind :
         {probe::Shuffle::read_lane, probe::Shuffle::exclusive_or, probe::Shuffle::up, probe::Shuffle::down}) {
      for (int width : {32, 8, 2}) {
        for (int argument : {0, 1, 3, 16}) {
          std::vector<std::int64_t> read(32);
          probe::shuffle(stream, kind, argument, width, read.data());
          for (int lane = 0; lane < 32; ++lane)
            ASSERT_EQ(read[static_cast<std::size_t>(lane)], source(kind, lane, argument, width))
                << static_cast<int>(kind) << " of lane " << lane << " by " << argument << " in " << width;
        }
      }
    }
  });
}

TEST(Warps, VoteAndReduceAlsoWhereHalfOfOneIsMissing) {
  in_every_order([](void* stream) {
    std::vector<unsigned> out(10);
    probe::vote(stream, out.data());
    EXPECT_EQ(out, (std::vector<unsigned>{0xaaaaaaaau, 1, 0, 496, 31, 0xaaaau, 1, 1, 632, 47}));
  });
}

TEST(Warps, NameLanesThatAreNotInTheMask) {
  expect_mistake(probe::read_outside_the_mask,
                 {"kernel outside_read: warps.cu:18: lane 0 reads lane 16, which is not in the mask", "block (0,0,0)"});
  expect_mistake(probe::call_outside_the_mask, {"warps.cu:22: lane 9 is not in the mask it names"});
}

TEST(Warps, NameLanesThatDoNotMatch) {
  expect_mistake(probe::name_different_masks, {"warps.cu:26: lanes ", "wait for each other with different masks"});
  expect_mistake(probe::make_different_calls,
                 {"lanes of one mask are in different calls", "warps.cu:31", "warps.cu:33"});
}

TEST(Warps, NameLanesThatHaveExited) {
  for (const auto& launch : {probe::name_an_exited_lane, probe::exit_while_awaited}) {
    in_every_order([&](void* stream) {
      const std::string text = mistake(simt::Device::of(stream), launch);
      const int gone = launch == probe::name_an_exited_lane ? 0 : 31;
      const bool before = text.find(fmt::format("the mask names lane {}, which has exited", gone)) != std::string::npos;
      const bool after = text.find(fmt::format("waits for lane {}, which exits", gone)) != std::string::npos;
      EXPECT_TRUE(before || after) << text;
      EXPECT_NE(text.find("warps.cu:39"), std::string::npos) << text;
    });
  }
}

}  // namespace
}  // namespace kernels::test
