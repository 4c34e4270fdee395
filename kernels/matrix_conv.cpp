#include "kernels/matrix_conv.h"

#include <algorithm>

#include "kernels/parallel.h"

namespace kernels::matrix_conv {
namespace {

/// The vectors of a panel of columns.
int panel_vectors(const VectorKernels& kernels, std::int64_t columns) {
  return columns % (2 * kernels.lanes) == 0 ? 2 : 1;
}

/// Floats from[rows,columns] to words of neighbouring rows, which lie without gaps; may be in place.
void pack_rows(const VectorKernels& kernels, const float* from, std::int64_t from_stride, std::int64_t rows,
               std::int64_t columns, float* to) {
  if (kernels.values > 1 || from != to)
    kernels.pack[static_cast<int>(Adjacent::rows)](from, from_stride, rows, columns, to, columns);
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
        buffers_(scratch.add<float>(threads * size.w * inputs)),
        operands_(scratch.add<float>(kernels.values > 1 ? threads * size.w * depth() : 0)) {}

  std::int64_t panel_columns() const { return vectors_ * kernels_->lanes; }
  std::int64_t depth() const { return inputs_ / kernels_->values; }

  /// Panel i of the weights, an operand, begins at weight + i * panel_stride; its rows are row_stride apart.
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
    const float* const pixels = operand(source(image, row, buffer), memory);
    float* const to = result + (image * rows_ + row) * width_ * outputs_;
    for (std::int64_t panel = 0; panel < outputs_ / panel_columns(); ++panel)
      kernels_->multiply[static_cast<int>(Adjacent::depth)]({.a = pixels,
                                                             .a_stride = depth(),
                                                             .b = weight + panel * panel_stride,
                                                             .b_stride = row_stride,
                                                             .c = to + panel * panel_columns(),
                                                             .c_stride = outputs_,
                                                             .depth = depth(),
                                                             .accumulate = false},
                                                            width_, vectors_);
  }

  const float* operand(const float* pixels, const Memory& memory) const {
    if (kernels_->values == 1) return pixels;
    float* const to = operands_.in(memory) + thread_number() * width_ * depth();
    kernels_->pack[static_cast<int>(Adjacent::depth)](pixels, inputs_, width_, inputs_, to, depth());
    return to;
  }

  const VectorKernels* kernels_;
  std::int64_t n_, rows_, width_, inputs_, outputs_;
  int threads_, vectors_;
  Slot<float> buffers_, operands_;
};

/// dweight[outputs,inputs] = dy[pixels,outputs]^T x[pixels,inputs] by parts of it, each over all pixels: a part's
/// columns of some pixels are copied to where they are close together, and its sums stay in the first-level cache.
class WeightProducts {
 public:
  WeightProducts(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch)
      : kernels_(&kernels),
        inputs_(size.c),
        outputs_(size.k),
        pixels_(size.n * size.h * size.w),
        threads_(threads),
        vectors_(panel_vectors(kernels, size.c)),
        work_(scratch.add<float>(threads * floats_of_a_thread())) {}

  void run(const float* x, const float* dy, float scale, bool accumulate, float* dweight, const Memory& memory) const {
    const std::int64_t panels = inputs_ / columns(), parts = (outputs_ + most_rows - 1) / most_rows;
    parallel_for(threads_, parts * panels, [&](std::int64_t i) {
      const std::int64_t c = i % panels * columns(), k = i / panels * most_rows;
      const std::int64_t rows = std::min(most_rows, outputs_ - k);
      const float* const sums = add_pixels(x + c, dy + k, rows, memory);
      for (std::int64_t row = 0; row < rows; ++row) {
        float* const to = dweight + (k + row) * inputs_ + c;
        for (std::int64_t j = 0; j < columns(); ++j)
          to[j] = scale * sums[row * columns() + j] + (accumulate ? to[j] : 0);
      }
    });
  }

 private:
  static constexpr std::int64_t block_pixels = 64, most_rows = 64;  // at a time, and of a part

  std::int64_t columns() const { return vectors_ * kernels_->lanes; }
  /// Of x, dy and the sums.
  std::int64_t floats_of_a_thread() const { return block_pixels * (columns() + most_rows) + most_rows * columns(); }

  /// sums[rows,columns] of one part.
  const float* add_pixels(const float* x, const float* dy, std::int64_t rows, const Memory& memory) const {
    float* const x_block = work_.in(memory) + thread_number() * floats_of_a_thread();
    float *const dy_block = x_block + block_pixels * columns(), *const sums = dy_block + block_pixels * most_rows;
    for (std::int64_t pixel = 0; pixel < pixels_; pixel += block_pixels) {
      const std::int64_t count = std::min(block_pixels, pixels_ - pixel);
      pack_rows(*kernels_, x + pixel * inputs_, inputs_, count, columns(), x_block);
      pack_rows(*kernels_, dy + pixel * outputs_, outputs_, count, rows, dy_block);
      kernels_->multiply[static_cast<int>(Adjacent::rows)]({.a = dy_block,
                                                            .a_stride = rows,
                                                            .b = x_block,
                                                            .b_stride = columns(),
                                                            .c = sums,
                                                            .c_stride = columns(),
                                                            .depth = (count + kernels_->values - 1) / kernels_->values,
                                                            .accumulate = pixel > 0},
                                                           rows, vectors_);
    }
    return sums;
  }

  const VectorKernels* kernels_;
  std::int64_t inputs_, outputs_, pixels_;
  int threads_, vectors_;
  Slot<float> work_;  // of each thread
};

}  // namespace

bool serves(const VectorKernels& kernels, const ConvSize& size) {
  return size.r == 1 && size.c % kernels.lanes == 0 && size.k % kernels.lanes == 0;
}

Convolution convolution(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch) {
  const RowProducts products(kernels, size, size.c, size.k, threads, scratch);
  const auto panels = scratch.add<float>(size.k * size.c);
  return {[=, &kernels](const RowSource& source, const float* weight, float* result, const BlockDone& done,
                        const Memory& memory) {
    const std::int64_t columns = products.panel_columns();
    float* const packed = panels.in(memory);  // [k/columns,c,columns]
    parallel_for(threads, size.k / columns, [&](std::int64_t panel) {
      for (std::int64_t c = 0; c < size.c; ++c)
        for (std::int64_t k = 0; k < columns; ++k)
          packed[(panel * size.c + c) * columns + k] = weight[(panel * columns + k) * size.c + c];
      float* const whole = packed + panel * size.c * columns;
      pack_rows(kernels, whole, columns, size.c, columns, whole);
    });
    products.run(source, packed, size.c * columns, columns, result, done, memory);
  }};
}

Convolution data_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch) {
  const RowProducts products(kernels, size, size.k, size.c, threads, scratch);
  const auto packed_slot = scratch.add<float>(kernels.values > 1 ? products.depth() * size.c : 0);
  return {[=, &kernels](const RowSource& source, const float* weight, float* result, const BlockDone& done,
                        const Memory& memory) {
    if (kernels.values > 1) {
      float* const packed = packed_slot.in(memory);
      pack_rows(kernels, weight, size.c, size.k, size.c, packed);
      weight = packed;
    }
    products.run(source, weight, products.panel_columns(), size.c, result, done, memory);
  }};
}

WeightGradient weight_gradient(const VectorKernels& kernels, const ConvSize& size, int threads,
                               ScratchLayout& scratch) {
  const WeightProducts products(kernels, size, threads, scratch);
  return {[=](const RowSource& source, const float* dy, float scale, bool accumulate, float* dweight,
              const Memory& memory) { products.run(source(0, 0, nullptr), dy, scale, accumulate, dweight, memory); }};
}

}  // namespace kernels::matrix_conv
