#include "kernels/floor.h"

#include <gtest/gtest.h>

namespace kernels {
namespace {

constexpr MachineSpeed speed{.flops_per_second = 1e9, .bytes_per_second = 1e9};

Conv convolution(std::int64_t size, std::int64_t r, std::int64_t channels) {
  Conv op;
  op.x0 = Tensor{0, Element::f32, {2, size, size, channels}};
  op.weight = Tensor{1, Element::f32, {channels, r, r, channels}};
  op.y = Tensor{2, Element::f32, {2, size, size, channels}};
  return op;
}

TEST(Floor, OfAConvolutionInBf16IsItsProductsInBf16) {
  MachineSpeed with_bf16 = speed;
  with_bf16.bf16_flops_per_second = 2e9;
  Conv op = convolution(16, 1, 64);
  EXPECT_DOUBLE_EQ(floor_seconds(op, with_bf16), floor_seconds(op, speed));
  op.x0.element = op.y.element = Element::bf16;
  EXPECT_DOUBLE_EQ(floor_seconds(op, with_bf16), floor_seconds(op, speed) / 2);
}

TEST(Floor, OfALarge3x3ConvolutionIsAQuarterOfItsProducts) {
  EXPECT_DOUBLE_EQ(floor_seconds(convolution(16, 3, 64), speed), 0.25 * 2 * 2 * 16 * 16 * 9 * 64 * 64 * 1e-9);
}

TEST(Floor, OfA1x1ConvolutionIsItsProducts) {
  EXPECT_DOUBLE_EQ(floor_seconds(convolution(16, 1, 64), speed), 2.0 * 2 * 16 * 16 * 64 * 64 * 1e-9);
}

TEST(Floor, OfA3x3ConvolutionOfADoubledImageIsFourNinthsOfItsProducts) {
  MachineSpeed without_winograd = speed;
  without_winograd.conv_share = 1;
  Conv op = convolution(32, 3, 64);
  op.x0.shape = {2, 16, 16, 64};
  op.prologue.resample = Resample::up;
  EXPECT_DOUBLE_EQ(floor_seconds(op, without_winograd), 4 * 2.0 * 2 * 32 * 32 * 64 * 64 * 1e-9);
  EXPECT_DOUBLE_EQ(floor_seconds(op, speed), 0.25 * 9 * 2.0 * 2 * 32 * 32 * 64 * 64 * 1e-9);
}

TEST(Floor, OfARecordWithFewProductsIsItsOperandsMovedOnce) {
  EXPECT_DOUBLE_EQ(floor_seconds(convolution(16, 1, 2), speed), (2 * 2 * 16 * 16 * 2 + 4) * 4 * 1e-9);
  EXPECT_DOUBLE_EQ(
      floor_seconds(Silu{.x = Tensor{0, Element::f32, {5, 7}}, .y = Tensor{1, Element::f32, {5, 7}}}, speed),
      2 * 35 * 4 * 1e-9);
}

TEST(Floor, AMachineHasSomeSpeed) {
  const MachineSpeed measured = measure_machine(1);
  EXPECT_GT(measured.flops_per_second, 1e8);
  EXPECT_GE(measured.bf16_flops_per_second, measured.flops_per_second);
  EXPECT_GT(measured.bytes_per_second, 1e7);
}

}  // namespace
}  // namespace kernels
