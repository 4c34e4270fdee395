// Sizes from which on products take large tiles: convolutions of a single tap, so that an emulated GPU can make them.
#include "kernels/conv.h"
#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

constexpr std::int64_t images = 33, extent = 23, few = 8, many = 128;  // 17,457 pixels: 137 tiles of 128 x 128

TEST(LargeTiles, Conv) {
  Arena arena(1);
  Conv op;
  op.x0 = arena.uniform({images, extent, extent, few});
  op.weight = arena.uniform({many, 1, 1, few});
  op.bias = arena.uniform({many});
  op.y = arena.uniform({images, extent, extent, many});
  op.moments = arena.uniform({images, many, 2});
  arena.run(op);
}

TEST(LargeTiles, ConvDataGradient) {
  Arena arena(2);
  ConvDataGradient op;
  op.dy = arena.uniform({images, extent, extent, few});
  op.weight = arena.uniform({few, 1, 1, many});
  op.x0 = arena.uniform({images, extent, extent, many});
  op.prologue.coefficients = arena.uniform({images, many, 2}, -2, 2);
  op.prologue.statistics = arena.uniform({images, 4, 2}, 0.25, 1);
  op.prologue.activation = Activation::silu;
  op.dz = arena.uniform(op.x0.shape);
  op.sums = arena.uniform({images, many, 2});
  arena.run(op);
}

TEST(LargeTiles, ConvWeightGradient) {
  Arena arena(3);
  ConvWeightGradient op;
  op.dy = arena.uniform({1, 4, 6, 1536});
  op.x0 = arena.uniform({1, 4, 6, 1536});
  op.dweight = arena.uniform({1536, 1, 1, 1536});
  op.dbias = arena.uniform({1536});
  arena.run(op);
}

TEST(LargeTiles, ConvWeightGradientOfADoubledImage) {
  Arena arena(4);
  ConvWeightGradient op;
  op.dy = arena.uniform({1, 4, 10, 368});
  op.x0 = arena.uniform({1, 2, 5, 368});
  op.prologue.resample = Resample::up;
  op.dweight = arena.uniform({368, 3, 3, 368});
  arena.run(op);
}

}  // namespace
}  // namespace kernels::test
