// Sums of the columns of images or rows, for the gradients of biases; for kernels only.
#pragma once

#include "kernels/gpu_pixels.h"

namespace kernels::BACKEND {

/// Of an image and a channel, the sums of its parts.
__device__ inline TwoSums combined_sums(const PartSums& parts, int image, int c) {
  TwoSums sums{};
#pragma unroll 4
  for (int part = 0; part < parts.parts; ++part) {
    const float2 one = parts.at(image, part, c);
    sums.first += one.x;
    sums.second += one.y;
  }
  return sums;
}

/// Sums of the columns of each part of images [n,h,w,c], eight neighbours to a thread where `width` is 8. Block (x, y)
/// of the grid does `packs_of_block` packs of part y.
inline constexpr int packs_of_block = 16, rows_of_block = 16;
template <int width>
__global__ void __launch_bounds__(packs_of_block* rows_of_block)
    sum_columns_kernel(PixelRows rows, ConstArray images, PartSums sums) {
  constexpr int columns = packs_of_block * width;
  SHARED(double, line, [rows_of_block][columns]);
  const int image = static_cast<int>(blockIdx.y) / sums.parts, part = static_cast<int>(blockIdx.y) % sums.parts;
  const int first_column = static_cast<int>(blockIdx.x) * columns,
            channel = first_column + static_cast<int>(threadIdx.x) * width;
  double sum[width] = {};
  if (channel < sums.channels) {
    const std::int64_t first = static_cast<std::int64_t>(image) * rows.pixels() + part * rows.part_rows();
    const int pixels = rows.pixels_of_part(part);
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.y); i < pixels; i += rows_of_block) {
      const Pack<width> one = images.at<width>((first + i) * sums.channels + channel);
#pragma unroll
      for (int j = 0; j < width; ++j) sum[j] += one.value[j];
    }
  }
#pragma unroll
  for (int j = 0; j < width; ++j) line[threadIdx.y][threadIdx.x * width + j] = sum[j];
  __syncthreads();
  const int column = static_cast<int>(threadIdx.y) * packs_of_block + static_cast<int>(threadIdx.x);
  if (column < columns && first_column + column < sums.channels) {
    double all = 0;
    for (int i = 0; i < rows_of_block; ++i) all += line[i][column];
    sums.at(image, part, first_column + column) = make_float2(static_cast<float>(all), 0);
  }
}

/// dembedding[n,c] = scale times the sums of each image.
static __global__ void __launch_bounds__(block_threads)
    finish_image_sums_kernel(int n, PartSums parts, float scale, float* dembedding) {
  for (std::int64_t i = first_item(); i < static_cast<std::int64_t>(n) * parts.channels; i += item_stride())
    dembedding[i] = static_cast<float>(
        scale * combined_sums(parts, static_cast<int>(i) / parts.channels, static_cast<int>(i) % parts.channels).first);
}

/// dbias[c] (+)= scale times the sums over all images.
static __global__ void __launch_bounds__(summing_threads)
    finish_bias_kernel(int n, PartSums parts, float scale, Mode mode, float* dbias) {
  sum_over(
      n * parts.parts, parts.channels,
      [&](int i, int c) -> TwoSums {
        return {parts.data[static_cast<std::int64_t>(i) * parts.channels + c].x, 0};
      },
      [&](int c, const TwoSums& sums) {
        dbias[c] = static_cast<float>(scale * sums.first + (mode == Mode::accumulate ? dbias[c] : 0));
      });
}

/// Sums of the columns of images [n,h,w,c], of each image and of all.
class ColumnSums {
 public:
  static constexpr int block_rows = 256;  // of `rows`
  ColumnSums(const PixelRows& rows, int channels, ScratchLayout& scratch)
      : rows_(rows), channels_(channels), parts_(add_parts<float2>(rows, channels, scratch)) {}

  /// dembedding[n,c] = scale times the sums of each image, dbias[c] (+)= of all; both optional.
  void run(void* stream, const Memory& memory, const ConstArray& images, float scale, Mode mode, float* dembedding,
           float* dbias) const {
    if (!dembedding && !dbias) return;
    const PartSums parts{parts_.in(memory), rows_.parts_of_image(), channels_};
    with_width({channels_}, {images.data}, [&](auto width) {
      constexpr int columns = packs_of_block * width;
      launch<sum_columns_kernel<width>>(dim3(static_cast<unsigned>((channels_ + columns - 1) / columns),
                                             static_cast<unsigned>(rows_.n * parts.parts)),
                                        dim3(packs_of_block, rows_of_block), 0, stream, rows_, images, parts);
    });
    if (dembedding)
      launch<finish_image_sums_kernel>(blocks_for(std::int64_t{rows_.n} * channels_), block_threads, 0, stream, rows_.n,
                                       parts, scale, dembedding);
    if (dbias)
      launch<finish_bias_kernel>(summing_blocks(channels_), summing_block, 0, stream, rows_.n, parts, scale, mode,
                                 dbias);
  }

 private:
  PixelRows rows_;
  int channels_;
  Slot<float2> parts_;
};

}  // namespace kernels::BACKEND
