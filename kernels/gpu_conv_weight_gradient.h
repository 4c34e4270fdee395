// The weight gradient of a convolution, a product that sums over pixels; for kernels only.
#pragma once

#include "kernels/gpu_conv.h"
#include "kernels/gpu_doubled_conv.h"

namespace kernels::BACKEND {

/// dweight (+)= scale times the sum of its parts, in their order.
static __global__ void __launch_bounds__(block_threads)
    add_parts_kernel(std::int64_t count, int parts, const float* sums, float scale, Mode mode, float* dweight) {
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    float sum = 0;
    for (int part = 0; part < parts; ++part) sum += sums[part * count + i];
    dweight[i] = scale * sum + (mode == Mode::accumulate ? dweight[i] : 0);
  }
}

/// In how many parts the pixels are taken: enough for two blocks on each multiprocessor of an H100, but not so short
/// that their sums cost more than they do.
template <typename Tile>
int pixels_of_part(std::int64_t rows, std::int64_t columns, std::int64_t pixels) {
  const std::int64_t blocks = (rows + Tile::rows - 1) / Tile::rows * ((columns + Tile::columns - 1) / Tile::columns);
  const std::int64_t parts = std::clamp<std::int64_t>(2 * 132 / blocks, 1, std::max<std::int64_t>(pixels / 512, 1));
  return static_cast<int>(((pixels + parts - 1) / parts + Tile::depth - 1) / Tile::depth * Tile::depth);
}

/// The product [rows,columns] of a weight gradient, over pixels in parts whose sums lie one behind the other.
template <typename Tile>
class ProductOfPixels {
 public:
  ProductOfPixels(int rows, int columns, int pixels, ScratchLayout& scratch)
      : size_{rows, columns, pixels, pixels_of_part<Tile>(rows, columns, pixels)},
        sums_(scratch.add<float>(std::int64_t{parts()} * rows * columns)) {}
  int parts() const { return (size_.k + size_.k_of_part - 1) / size_.k_of_part; }

  /// The sums of all parts.
  template <typename A, typename B>
  const float* run(void* stream, const Memory& memory, const A& a, const B& b) const {
    float* const sums = sums_.in(memory);
    product<Tile>(stream, size_, a, b,
                  StoreMatrix<Tile::width>{.size = {size_.rows, size_.columns, Tile::rows, Tile::columns},
                                           .to = {sums},
                                           .stride = size_.columns,
                                           .part_stride = std::int64_t{size_.rows} * size_.columns});
    return sums;
  }

 private:
  ProductSize size_;
  Slot<float> sums_;
};

template <int width, typename Tile>
Step convolve_weight_gradient(const ConvWeightGradient& op, const ConvExtents& extents, void* stream) {
  ScratchLayout scratch;
  const PatchSource source(extents, op.x0, op.x1, op.prologue, scratch);
  const auto r = static_cast<int>(extents.size.r), stride = static_cast<int>(extents.size.stride),
             before = static_cast<int>(extents.size.before), k = static_cast<int>(extents.size.k),
             columns = r * r * static_cast<int>(extents.size.c);
  const PixelsInOrder pixels = pixels_in_order(extents.out);
  const ProductOfPixels<Tile> multiply(k, columns, pixels.rows(), scratch);
  const ColumnSums column_sums(pixel_rows(extents.out, ColumnSums::block_rows), k, scratch);
  return {[=](const Memory& memory) {
            const ConstArray dy = const_array(op.dy, memory);
            const float* const sums =
                multiply.run(stream, memory, Matrix<Tile::width, Along::rows>{dy, pixels.rows(), k, k},
                             Patches<width, Along::rows, TapsInOrder>{source.make<width>(stream, memory), pixels,
                                                                      TapsInOrder(r, static_cast<int>(extents.size.c)),
                                                                      stride, before});
            launch<add_parts_kernel>(blocks_for(std::int64_t{k} * columns), block_threads, 0, stream,
                                     std::int64_t{k} * columns, multiply.parts(), sums, op.scale, op.mode,
                                     memory.at<float>(op.dweight));
            column_sums.run(stream, memory, dy, op.scale, op.mode, memory.at<float>(op.dembedding),
                            memory.at<float>(op.dbias));
          },
          scratch.bytes()};
}

/// Of a doubled image: ds from dy's pixels around each of u, and dweight from that.
template <int width, typename Tile>
Step convolve_doubled_weight_gradient(const ConvWeightGradient& op, const ConvExtents& extents, void* stream) {
  ScratchLayout scratch;
  const PatchSource source(extents, op.x0, op.x1, op.prologue, scratch);
  const auto k = static_cast<int>(extents.size.k), c = static_cast<int>(extents.size.c);
  const PixelsInOrder pixels = pixels_in_order(extents.in);
  const ProductOfPixels<Tile> multiply(16 * k, c, pixels.rows(), scratch);
  const ColumnSums column_sums(pixel_rows(extents.out, ColumnSums::block_rows), k, scratch);
  return {[=](const Memory& memory) {
            const ConstArray dy = const_array(op.dy, memory);
            const float* const sums = multiply.run(
                stream, memory,
                GradientPatches<Tile::width, Along::rows, TapsInOrder, false>{.dy = dy,
                                                                              .pixels = pixels,
                                                                              .y_h = static_cast<int>(extents.out.h),
                                                                              .y_w = static_cast<int>(extents.out.w),
                                                                              .k = k,
                                                                              .taps = TapsInOrder(4, k),
                                                                              .stride = 1,
                                                                              .before = 2,
                                                                              .step = 2},
                Patches<width, Along::rows, TapsInOrder>{source.make<width>(stream, memory), pixels, TapsInOrder(1, c),
                                                         1, 0});
            launch<fold_weights_kernel>(blocks_for(std::int64_t{9} * k * c), block_threads, 0, stream, k, c,
                                        multiply.parts(), sums, op.scale, op.mode, memory.at<float>(op.dweight));
            column_sums.run(stream, memory, dy, op.scale, op.mode, memory.at<float>(op.dembedding),
                            memory.at<float>(op.dbias));
          },
          scratch.bytes()};
}

}  // namespace kernels::BACKEND
