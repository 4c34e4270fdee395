// What becomes of a convolution's sums, see gpu_product.h: the epilogue of Conv, the way back through the prologue of
// ConvDataGradient, parts of ConvWeightGradient; for kernels only.
#pragma once

#include "kernels/gpu_conv_operands.h"
#include "kernels/moments.h"

namespace kernels::BACKEND {

/// Calls f(pixel, row of the block, column of all, sums of `width` columns) for the sums [rows.block,block_columns] of
/// a block that a pixel and a column belong to; f may change the sums.
template <int width, typename F>
__device__ __forceinline__ void each_pack(const PixelRows& rows, int columns, int block_columns, float* sums, int line,
                                          int row, int column, const F& f) {
  const int packs = block_columns / width;
  for (int i = static_cast<int>(threadIdx.x); i < rows.block * packs; i += static_cast<int>(blockDim.x)) {
    const int at_row = i / packs, at_column = i % packs * width;
    const Pixel pixel = rows.at(row + at_row);
    if (!pixel || column + at_column >= columns) continue;
    Pack<width> pack = load<width>(sums + at_row * line + at_column);
    f(pixel, at_row, column + at_column, pack);
    store(sums + at_row * line + at_column, pack);
  }
}

/// Calls f(part, column of the block) for each part of an image that the block has and each of its columns.
template <typename F>
__device__ __forceinline__ void each_part(const PixelRows& rows, int columns, int block_columns, int row, int column,
                                          const F& f) {
  for (int i = static_cast<int>(threadIdx.x); i < rows.parts_of_block() * block_columns;
       i += static_cast<int>(blockDim.x)) {
    const Part part = part_of_block(rows, row, i / block_columns);
    if (part.rows > 0 && column + i % block_columns < columns) f(part, i % block_columns);
  }
}

using PartMoments = PartsOf<PivotedSums>;

/// y = scale (sums + bias + embedding + residual), and what its parts know of their moments.
template <int width>
struct StoreOutput {
  PixelRows rows;
  Phases phases;
  int k, block_columns;
  const float *bias, *embedding;
  ConstArray residual;
  float scale;
  Array y;
  PartMoments parts;  // of each phase, one behind the other; absent: none wanted

  __device__ void operator()(float* sums, int line, int row, int column) const {
    each_pack<width>(
        rows, k, block_columns, sums, line, row, column, [&](const Pixel& of_row, int, int c, Pack<width>& pack) {
          const Pixel at = phases.of(of_row);
          const std::int64_t line_of_y = static_cast<std::int64_t>(at.image) * (rows.h * phases.across) + at.y;
          const std::int64_t i = (line_of_y * (rows.w * phases.across) + at.x) * k + c;
          const Pack<width> add = residual ? residual.template at<width>(i) : Pack<width>{};
#pragma unroll
          for (int j = 0; j < width; ++j)
            pack.value[j] = scale * (pack.value[j] + (bias ? bias[c + j] : 0) +
                                     (embedding ? embedding[at.image * k + c + j] : 0) + add.value[j]);
          y.set(i, pack);
          pack = y.rounded(pack);
        });
    if (!parts.data) return;
    __syncthreads();
    each_part(rows, k, block_columns, row, column, [&](const Part& part, int j) {
      const float* const first = sums + part.first_row * line + j;
      float shift = 0;
      for (int i = 1; i < part.rows; ++i) shift += first[i * line] - first[0];
      PivotedSums known{first[0] + shift / static_cast<float>(part.rows), 0, 0};
      for (int i = 0; i < part.rows; ++i) {
        const float deviation = first[i * line] - known.pivot;
        known.sum += deviation;
        known.sum_squares += deviation * deviation;
      }
      parts.at(part.image, phases.number() * rows.parts_of_image() + part.part, column + j) = known;
    });
  }
};

/// Mean and 1/std of a channel's group.
struct StatisticsOfGroups {
  const float2* data;  // [n,groups]
  int groups, group_channels;
  __device__ float2 at(int image, int c) const { return data[image * groups + c / group_channels]; }
};

/// dz from du, and over its parts the sums of dz and dz (x - mean); mean of the norm's group.
template <int width>
struct StoreGradient {
  PixelRows rows;  // of the source
  int block_columns;
  Source<width> source;
  StatisticsOfGroups statistics;
  float scale;
  Array dz;
  PartSums parts;

  __device__ void operator()(float* sums, int line, int row, int column) const {
    each_pack<width>(
        rows, source.c, block_columns, sums, line, row, column, [&](const Pixel& at, int, int c, Pack<width>& pack) {
          pack = source.reverse(at, c, scale, pack);
          dz.set(at.image * (static_cast<std::int64_t>(rows.pixels()) * source.c) + source.element(at, c), pack);
          pack = dz.rounded(pack);
        });
    if (!parts.data) return;
    __syncthreads();
    each_part(rows, source.c, block_columns, row, column, [&](const Part& part, int j) {
      const int c = column + j;
      const float mean = statistics.at(part.image, c).x;
      float sum = 0, centred = 0;
      for (int i = 0; i < part.rows; ++i) {
        const float gradient = sums[(part.first_row + i) * line + j];
        sum += gradient;
        centred += gradient * (source.template x<1>(rows.at(row + part.first_row + i), c).value[0] - mean);
      }
      parts.at(part.image, part.part, c) = make_float2(sum, centred);
    });
  }
};

/// For sum_parts: dz and dz (x - mean) of one pixel and channel.
template <int width>
struct GradientOfNorm {
  Source<width> source;
  ConstArray dz;
  StatisticsOfGroups statistics;
  __device__ float2 operator()(const Pixel& at, int c) const {
    const float gradient =
        dz.at<1>(at.image * (static_cast<std::int64_t>(source.h) * source.w * source.c) + source.element(at, c))
            .value[0];
    return make_float2(gradient, gradient * (source.template x<1>(at, c).value[0] - statistics.at(at.image, c).x));
  }
};

/// The sums of a convolution's pixels, in the order of pixels.
template <int width>
struct StorePixels {
  PixelRows rows;
  int columns, block_columns;
  float* to;

  __device__ void operator()(float* sums, int line, int row, int column) const {
    each_pack<width>(rows, columns, block_columns, sums, line, row, column,
                     [&](const Pixel& at, int, int c, const Pack<width>& pack) {
                       store(to + ((static_cast<std::int64_t>(at.image) * rows.h + at.y) * rows.w + at.x) * columns + c,
                             pack);
                     });
  }
};

}  // namespace kernels::BACKEND
