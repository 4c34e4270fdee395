// Of a program whose kernels were compiled with the address and undefined-behaviour sanitizers.
#include "tests/kernels/simt/devices.h"

namespace kernels::test {
namespace {

using emulated::probe::Fault;

void touch(Fault fault, int extent) {
  simt::Device device;
  std::vector<float> memory(64);
  emulated::probe::touch(&device, fault, memory.data(), extent);
}

TEST(Addresses, WithinBoundsAreFine) {
  touch(Fault::past_static, 64);
  touch(Fault::past_an_inner_extent, 16);
  touch(Fault::past_dynamic, 64);
  touch(Fault::past_global, 64);
  touch(Fault::misaligned, 4);
}

TEST(AddressesDeathTest, BeyondBoundsAreNamed) {
  EXPECT_DEATH(touch(Fault::past_static, 65),
               "addresses.cu:10.*insufficient space|global-buffer-overflow(.|\n)*addresses.cu:10");
  EXPECT_DEATH(touch(Fault::past_an_inner_extent, 17), "addresses.cu:17.*index 16 out of bounds");
  EXPECT_DEATH(touch(Fault::past_dynamic, 63), "heap-buffer-overflow(.|\n)*addresses.cu:24");
  EXPECT_DEATH(touch(Fault::past_global, 65), "heap-buffer-overflow(.|\n)*addresses.cu:30");
  EXPECT_DEATH(touch(Fault::misaligned, 5), "addresses.cu:34.*misaligned address");
}

}  // namespace
}  // namespace kernels::test
