#include "kernels/matrix_conv.h"

#include <algorithm>

#include "kernels/parallel.h"

namespace kernels::matrix_conv {
namespace {

/// The vectors of a panel of columns.
int panel_vectors(const VectorKernels& kernels, std::int64_t columns) {
  return columns % (2 * kernels.lanes) == 0 ? 2 : 1;
}

/// result[pixels,outputs] = source[pixels,inputs] weight[inputs,outputs], whose panels of columns lie where they are
/// told to.
class RowProducts {
 public:
  RowProducts(const VectorKernels& kernels, const ConvSize& size, std::int64_t inputs, std::int64_t outputs,
              int threads, ScratchLayout& scratch)
      : kernels_(&kernels),
        n_(size.n),
        rows_(size.h),
        width_(size.w),
        inputs_(inputs),
        outputs_(outputs),
        threads_(threads),
        vectors_(panel_vectors(kernels, outputs)),
        buffers_(scratch.add<float>(threads * size.w * inputs)) {}

  std::int64_t panel_columns() const { return vectors_ * kernels_->lanes; }

  /// Panel i of the weights begins at weight + i * panel_stride; its rows are row_stride apart.
  void run(const RowSource& source, const float* weight, std::int64_t panel_stride, std::int64_t row_stride,
           float* result, const BlockDone& done, const Memory& memory) const {
    const RowBlocks blocks{rows_};
    parallel_for(threads_, n_ * blocks.count(), [&](std::int64_t i) {
      const std::int64_t image = i / blocks.count(), block = i % blocks.count();
      for (std::int64_t row = blocks.begin(block); row < blocks.end(block); ++row)
        multiply_row(source, weight, panel_stride, row_stride, image, row, result, memory);
      if (done) done(image, block);
    });
  }

 private:
  void multiply_row(const RowSource& source, const float* weight, std::int64_t panel_stride, std::int64_t row_stride,
                    std::int64_t image, std::int64_t row, float* result, const Memory& memory) const {
    float* const buffer = buffers_.in(memory) + thread_number() * width_ * inputs_;
    const float* const pixels = source(image, row, buffer);
    float* const to = result + (image * rows_ + row) * width_ * outputs_;
    for (std::int64_t panel = 0; panel < outputs_ / panel_columns(); ++panel)
      kernels_->multiply[static_cast<int>(Adjacent::depth)]({.a = pixels,
                                                             .a_stride = inputs_,
                                                             .b = weight + panel * panel_stride,
                                                             .b_stride = row_stride,
                                                             .c = to + panel * panel_columns(),
                                                             .c_stride = outputs_,
                                                             .depth = inputs_,
                                                             .accumulate = false},
                                                            width_, vectors_);
  }

  const VectorKernels* kernels_;
  std::int64_t n_, rows_, width_, inputs_, outputs_;
  int threads_, vectors_;
  Slot<float> buffers_;
};

}  // namespace

bool serves(const VectorKernels& kernels, const ConvSize& size) {
  return size.r == 1 && size.c % kernels.lanes == 0 && size.k % kernels.lanes == 0;
}

Convolution convolution(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch) {
  const RowProducts products(kernels, size, size.c, size.k, threads, scratch);
  const auto panels = scratch.add<float>(size.k * size.c);
  return {
      [=](const RowSource& source, const float* weight, float* result, const BlockDone& done, const Memory& memory) {
        const std::int64_t columns = products.panel_columns();
        float* const packed = panels.in(memory);  // [k/columns,c,columns]
        parallel_for(threads, size.k / columns, [&](std::int64_t panel) {
          for (std::int64_t c = 0; c < size.c; ++c)
            for (std::int64_t k = 0; k < columns; ++k)
              packed[(panel * size.c + c) * columns + k] = weight[(panel * columns + k) * size.c + c];
        });
        products.run(source, packed, size.c * columns, columns, result, done, memory);
      }};
}

Convolution data_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch) {
  const RowProducts products(kernels, size, size.k, size.c, threads, scratch);
  return {
      [=](const RowSource& source, const float* weight, float* result, const BlockDone& done, const Memory& memory) {
        products.run(source, weight, products.panel_columns(), size.c, result, done, memory);
      }};
}

WeightGradient weight_gradient(const VectorKernels& kernels, const ConvSize& size, int threads,
                               ScratchLayout& scratch) {
  // What some pixels have of x and dy stays in the second-level cache; their rows are copied a cache line further
  // apart, since those of a power of two fall on the same sets of the cache.
  constexpr std::int64_t block = 128, gap = 16;
  const std::int64_t x_stride = size.c + gap, dy_stride = size.k + gap;
  const auto x_slot = scratch.add<float>(block * x_stride), dy_slot = scratch.add<float>(block * dy_stride);
  const auto sums_slot = scratch.add<float>(size.k * size.c);
  return {[=, &kernels](const RowSource& source, const float* dy, float scale, bool accumulate, float* dweight,
                        const Memory& memory) {
    const float* const x = source(0, 0, nullptr);
    const int vectors = panel_vectors(kernels, size.c);
    const std::int64_t columns = vectors * kernels.lanes, pixels = size.n * size.h * size.w;
    float *const sums = sums_slot.in(memory), *const x_block = x_slot.in(memory), *const dy_block = dy_slot.in(memory);
    for (std::int64_t pixel = 0; pixel < pixels; pixel += block) {
      const std::int64_t count = std::min(block, pixels - pixel);
      parallel_for(threads, count, [&](std::int64_t i) {
        std::copy_n(x + (pixel + i) * size.c, size.c, x_block + i * x_stride);
        std::copy_n(dy + (pixel + i) * size.k, size.k, dy_block + i * dy_stride);
      });
      parallel_for(threads, size.c / columns, [&](std::int64_t panel) {
        kernels.multiply[static_cast<int>(Adjacent::rows)]({.a = dy_block,
                                                            .a_stride = dy_stride,
                                                            .b = x_block + panel * columns,
                                                            .b_stride = x_stride,
                                                            .c = sums + panel * columns,
                                                            .c_stride = size.c,
                                                            .depth = count,
                                                            .accumulate = pixel > 0},
                                                           size.k, vectors);
      });
    }
    for (std::int64_t i = 0; i < size.k * size.c; ++i) dweight[i] = scale * sums[i] + (accumulate ? dweight[i] : 0);
  }};
}

}  // namespace kernels::matrix_conv
