// What becomes of a convolution's sums, see gpu_product.h: the epilogue of Conv, the way back through the prologue of
// ConvDataGradient, parts of ConvWeightGradient; for kernels only.
#pragma once

#include "kernels/gpu_conv_operands.h"
#include "kernels/moments.h"

namespace kernels::BACKEND {

/// A thread's share of the sums [rows,columns] of a block: packs of the same columns in every rows_at_once()-th row.
template <int width, int columns>
struct PackShare {
  static constexpr int packs = columns / width;
  __device__ static int column() { return static_cast<int>(threadIdx.x) % packs * width; }
  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / packs; }
  __device__ static int rows_at_once() { return static_cast<int>(blockDim.x) / packs; }
  /// How many of `rows` are the n-th thread's that has a column.
  __device__ static int rows_of(int n, int rows) { return rows > n ? (rows - n - 1) / rows_at_once() + 1 : 0; }
};

/// The sums of a block, which begin at (row, column) of all, beside room for what combine() needs.
struct BlockOfSums {
  float* data;
  int line, row, column;
};

/// Calls f(pixel's number in its image, sums of `width` columns) for this thread's share of a part.
template <int width, int columns, typename F>
__device__ __forceinline__ void each_pack(const PixelRows& rows, const BlockOfSums& sums, const Part& part,
                                          const F& f) {
  using Share = PackShare<width, columns>;
  const int first = part.part * rows.part_rows();
  for (int i = Share::first_row(); i < part.rows; i += Share::rows_at_once())
    f(first + i, load<width>(sums.data + (part.first_row + i) * sums.line + Share::column()));
}

/// From what each thread knows of its columns: calls f(column of the block, array) for `there` columns, where
/// array[n * columns] is what the n-th thread that has the column knows of it.
template <int width, int columns, typename Known, typename F>
__device__ __forceinline__ void combine(const PixelRows& rows, const BlockOfSums& sums, const Known (&mine)[width],
                                        int there, const F& f) {
  using Share = PackShare<width, columns>;
  auto* const all = reinterpret_cast<Known*>(sums.data + rows.block.value * sums.line);
  __syncthreads();  // what was combined before has been read
#pragma unroll
  for (int j = 0; j < width; ++j) all[Share::first_row() * columns + Share::column() + j] = mine[j];
  __syncthreads();
  for (int j = static_cast<int>(threadIdx.x); j < columns && j < there; j += static_cast<int>(blockDim.x))
    f(j, all + j);
}

using PartMoments = PartsOf<PivotedSums>;

/// y = scale (sums + bias + embedding + residual), and what its parts know of their moments.
template <int width, int columns>
struct StoreOutput {
  PixelRows rows;
  Phases phases;
  int k;
  const float *bias, *embedding;
  ConstArray residual;
  float scale;
  Array y;
  PartMoments parts;  // of each phase, one behind the other; absent: none wanted

  __device__ void operator()(float* data, int line, int row, int column) const {
    using Share = PackShare<width, columns>;
    const BlockOfSums sums{data, line, row, column};
    const int c = column + Share::column();
    for (int i = 0; i < rows.parts_of_block(); ++i) {
      const Part part = part_of_block(rows, row, i);
      PivotedSums mine[width] = {};
      bool is_first = true;
      if (c < k && part.rows > 0) {
        const Pack<width> terms = added(part.image, c);
        each_pack<width, columns>(rows, sums, part, [&](int pixel, Pack<width> pack) {
          pack = output(part.image, pixel, c, pack, terms);
#pragma unroll
          for (int j = 0; j < width; ++j) {
            if (is_first) mine[j].pivot = pack.value[j];
            const float deviation = pack.value[j] - mine[j].pivot;
            mine[j].sum += deviation;
            mine[j].sum_squares += deviation * deviation;
          }
          is_first = false;
        });
      }
      if (!parts.data || part.rows == 0) continue;
      combine<width, columns>(rows, sums, mine, k - column, [&](int j, const PivotedSums* of_threads) {
        Moments all;
        for (int n = 0; n < Share::rows_at_once() && n < part.rows; ++n)
          all.add(of_threads[n * columns], Share::rows_of(n, part.rows));
        parts.at(part.image, phases.number() * rows.parts_of_image() + part.part, column + j) = all.known();
      });
    }
  }

 private:
  /// Of all pixels of an image.
  __device__ Pack<width> added(int image, int c) const {
    Pack<width> terms{};
#pragma unroll
    for (int j = 0; j < width; ++j) {
      if (bias) terms.value[j] = bias[c + j];
      if (embedding) terms.value[j] += embedding[image * k + c + j];
    }
    return terms;
  }
  /// The number of the pixel of y.
  __device__ int pixel_of_y(int image, int pixel) const {
    if (phases.across == 1) return image * rows.pixels() + pixel;
    const Pixel at = phases.of({image, rows.w.quotient(pixel), rows.w.remainder(pixel)});
    return (image * rows.h * phases.across + at.y) * (rows.w.value * phases.across) + at.x;
  }
  /// What y has there now.
  __device__ __forceinline__ Pack<width> output(int image, int pixel, int c, Pack<width> pack,
                                                const Pack<width>& terms) const {
    const std::int64_t i = static_cast<std::int64_t>(pixel_of_y(image, pixel)) * k + c;
    const Pack<width> add = residual ? residual.template at<width>(i) : Pack<width>{};
#pragma unroll
    for (int j = 0; j < width; ++j) pack.value[j] = scale * (pack.value[j] + terms.value[j] + add.value[j]);
    y.set(i, pack);
    return y.rounded(pack);
  }
};

/// Mean and 1/std of a channel's group.
struct StatisticsOfGroups {
  const float2* data;  // [n,groups]
  int groups;
  Divisor group_channels;
  __device__ float2 at(int image, int c) const { return data[image * groups + group_channels.quotient(c)]; }
};

/// dz from du, and over its parts the sums of dz and dz (x - mean); mean of the norm's group.
template <int width, int columns>
struct StoreGradient {
  PixelRows rows;  // of the source
  Source<width> source;
  StatisticsOfGroups statistics;
  float scale;
  Array dz;
  PartSums parts;

  __device__ void operator()(float* data, int line, int row, int column) const {
    using Share = PackShare<width, columns>;
    const BlockOfSums sums{data, line, row, column};
    const int c = column + Share::column();
    for (int i = 0; i < rows.parts_of_block(); ++i) {
      const Part part = part_of_block(rows, row, i);
      if (part.rows == 0) continue;
      float2 mine[width] = {};
      if (c < source.c) {
        Pack<width> mean{};
        if (parts.data) {
#pragma unroll
          for (int j = 0; j < width; ++j) mean.value[j] = statistics.at(part.image, c + j).x;
        }
        const Pack<2 * width> maps = source.maps(part.image, c);
        each_pack<width, columns>(rows, sums, part, [&](int pixel, const Pack<width>& du) {
          const std::int64_t number = static_cast<std::int64_t>(part.image) * rows.pixels() + pixel;
          const Pack<width> x = source.x0 ? source.x(part.image, pixel, c) : Pack<width>{},
                            to = source.reverse(part.image, pixel, c, scale, maps, x, du);
          dz.set(number * source.c + c, to);
          const Pack<width> gradient = dz.rounded(to);
#pragma unroll
          for (int j = 0; j < width; ++j) {
            mine[j].x += gradient.value[j];
            mine[j].y += gradient.value[j] * (x.value[j] - mean.value[j]);
          }
        });
      }
      if (!parts.data) continue;
      combine<width, columns>(rows, sums, mine, source.c - column, [&](int j, const float2* of_threads) {
        float2 all = make_float2(0, 0);
        for (int n = 0; n < Share::rows_at_once(); ++n)
          all = make_float2(all.x + of_threads[n * columns].x, all.y + of_threads[n * columns].y);
        parts.at(part.image, part.part, column + j) = all;
      });
    }
  }
};

/// For sum_parts: dz and dz (x - mean) of one pixel and channel.
template <int width>
struct GradientOfNorm {
  Source<width> source;
  ConstArray dz;
  StatisticsOfGroups statistics;
  __device__ float2 operator()(const Pixel& at, int c) const {
    const int pixel = source.number(at);
    const std::int64_t i = static_cast<std::int64_t>(at.image) * (source.h * source.w) + pixel;
    const float gradient = dz.at<1>(i * source.c + c).value[0];
    const float x = source.template x<1>(at.image, pixel, c).value[0];
    return make_float2(gradient, gradient * (x - statistics.at(at.image, c).x));
  }
};

/// The sums of a convolution's pixels, in the order of pixels.
template <int width, int columns>
struct StorePixels {
  PixelRows rows;
  int channels;
  float* to;

  __device__ void operator()(float* data, int line, int row, int column) const {
    const int c = column + PackShare<width, columns>::column();
    if (c >= channels) return;
    for (int i = 0; i < rows.parts_of_block(); ++i)
      each_pack<width, columns>(
          rows, {data, line, row, column}, part_of_block(rows, row, i), [&](int pixel, const Pack<width>& pack) {
            const std::int64_t number = std::int64_t{part_of_block(rows, row, i).image} * rows.pixels() + pixel;
            store(to + number * channels + c, pack);
          });
  }
};

}  // namespace kernels::BACKEND
