// What is drawn from Philox is the same on the CPU and the GPU, integers to the last bit.
#include "kernels/perturb.h"
#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

struct OnCpu {
  template <typename Op>
  Step step_of(const Op& op) const {
    return prepare(op, CpuContext{.threads = 1, .exchange = {}});
  }
  void finish() const {}
};

std::vector<std::int64_t> positions(std::int64_t images) {
  std::vector<std::int64_t> list;
  for (std::int64_t n = 0; n < images; ++n) list.push_back(5'000'000'000 + 7 * n);
  return list;
}

template <typename Op>
void expect_same_bits(Arena& arena, const Op& op, const Tensor& tensor) {
  arena.run_once(op, OnCpu{});
  const auto* const begin = arena.data<std::byte>(tensor);
  const std::vector<std::byte> wanted(begin, begin + tensor.size_bytes());
  arena.run(op);
  EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), arena.data<std::byte>(tensor)));
}

TEST(SameBits, OfDequantisedPixels) {
  for (const Shape& shape : {Shape{3, 5, 7, 1}, Shape{2, 8, 8, 3}, Shape{5, 1, 1, 3}, Shape{1, 3, 2, 2}}) {
    for (const Flip flip : {Flip::never, Flip::random}) {
      for (const PixelRange& range : {PixelRange{}, unit_range}) {
        Arena arena(1);
        const Dequantise op{
            .pixels = arena.bytes(shape, [](std::size_t i) { return static_cast<std::uint8_t>(37 * i % 256); }),
            .positions = arena.integers(positions(shape[0])),
            .seed = 11,
            .flip = flip,
            .range = range,
            .x = arena.uniform(shape),
            .mirrored = flip == Flip::random ? arena.uniform({shape[0], 1}) : Tensor()};
        expect_same_bits(arena, op, op.x);
        if (op.mirrored) expect_same_bits(arena, op, op.mirrored);
      }
    }
  }
}

// Logarithms and sines are not the same to the last bit on a GPU.
TEST(SameNoise, IsAddedToImages) {
  for (const Shape& shape : {Shape{3, 5, 7, 1}, Shape{2, 8, 8, 3}, Shape{5, 1, 1, 3}}) {
    Arena arena(3);
    const Perturb op{.x = arena.uniform(shape),
                     .mean = arena.uniform({shape[0]}),
                     .deviation = arena.uniform({shape[0]}),
                     .positions = arena.integers(positions(shape[0])),
                     .seed = 5,
                     .xt = arena.uniform(shape),
                     .noise = arena.uniform(shape)};
    arena.run_once(op, OnCpu{});
    const auto noise = arena.values(op.noise);
    arena.run(op);
    expect_close(arena.values(op.noise), noise, 1e-6, "noise");
  }
}

TEST(SameBits, OfDroppedLabels) {
  Arena arena(2);
  const DropLabels op{.labels = arena.integers(std::vector<std::int64_t>(700, 4)),
                      .positions = arena.integers(positions(700)),
                      .seed = 5,
                      .null_label = 10,
                      .rate = 0.3f,
                      .y = arena.integers(std::vector<std::int64_t>(700))};
  expect_same_bits(arena, op, op.y);
}

}  // namespace
}  // namespace kernels::test
