// What convolutions give the matrix product to multiply: patches of images and weights, see gpu_product.h; for kernels
// only.
#pragma once

#include "kernels/conv_engine.h"
#include "kernels/gpu_conv_source.h"
#include "kernels/gpu_matrix.h"

namespace kernels::BACKEND {

/// A tap of an r x r convolution and a channel, or neighbouring ones from there; channel < 0: none.
struct TapChannel {
  int y, x, channel;
};

/// r x r taps of `channels` channels one after the other, as weights lie in memory.
struct TapsInOrder {
  Divisor r, channels;
  int count;
  TapsInOrder(int taps_across, int of_tap)
      : r(taps_across), channels(of_tap), count(taps_across * taps_across * of_tap) {}

  __device__ __forceinline__ TapChannel at(int k, int offset) const {
    const int i = k + offset, tap = channels.quotient(i), y = r.quotient(tap);
    return {y, tap - y * r.value, i < count ? channels.remainder(i) : -1};
  }
};

/// All taps of `depth` channels, a step of a product each, then of the next ones; what is missing of the last channels
/// is nothing. Taps read almost the same pixels, which are still in the first-level cache, and all threads read the
/// same tap.
template <int depth>
struct TapsInSteps {
  Divisor r, taps;
  int channels, count;
  TapsInSteps(int taps_across, int of_tap)
      : r(taps_across),
        taps(taps_across * taps_across),
        channels(of_tap),
        count(taps.value * ((of_tap + depth - 1) / depth * depth)) {}

  /// k: the step's first.
  __device__ __forceinline__ TapChannel at(int k, int offset) const {
    const int step = k / depth, first = taps.quotient(step), tap = step - first * taps.value, y = r.quotient(tap);
    const int channel = first * depth + offset;
    return {y, tap - y * r.value, channel < channels ? channel : -1};
  }
};

/// Pixels as what a product's rows are made of, or as what it sums over.
template <Along lies>
using Pixels = std::conditional_t<lies == Along::k, PixelRows, PixelsInOrder>;

/// As a coordinate: outside every image, wherever a tap is.
inline constexpr int far_away = -(1 << 28);

/// v[pixel of y at a tap, channel]: as a matrix of the pixels of y and of taps and channels.
template <int width, Along lies, typename Taps>
struct Patches {
  static constexpr Along along = lies;
  Source<width> source;
  Pixels<lies> pixels;  // of y
  Taps taps;
  int stride, before;
  Phases phases = {};

  struct Line {
    Pixel first;  // of tap (0, 0)
    int number;   // that pixel's, counting on beyond the image's edges
  };
  struct Cell {
    TapChannel first;
    int k, offset;
    // What is added to the number of the line's first pixel, and the array whose pixels are counted, from its channel
    // on, a pixel being so many bytes.
    int pixel, pixel_bytes;
    const std::byte* array;
  };
  __device__ Line line(int row) const {
    const Pixel at = pixels.at(row);
    const int y = at.y * stride - before + phases.a(), x = at.x * stride - before + phases.b();
    return {{at.image, at ? y : far_away, x}, (at.image * source.v_h + y) * source.v_w + x};
  }
  __device__ Cell cell(int k, int offset) const {
    const TapChannel tap = taps.at(k, offset);
    const bool in_first = tap.channel < source.c0;
    constexpr int size = sizeof(Bf16);
    return {tap,
            k,
            offset,
            tap.y * source.v_w + tap.x,
            (in_first ? source.c0 : source.c - source.c0) * size,
            static_cast<const std::byte*>(in_first ? source.x0.data : source.x1.data) +
                (tap.channel - (in_first ? 0 : source.c0)) * size};
  }
  __device__ Pack<width> at(const Line& line, const TapChannel& tap) const {
    if (!line.first || tap.channel < 0) return {};
    return source.v({line.first.image, line.first.y + tap.y, line.first.x + tap.x}, tap.channel);
  }
  __device__ Pack<group> load(const Line& line, const Cell& cell) const {
    return neighbours<width>([&](int j) { return at(line, j == 0 ? cell.first : taps.at(cell.k, cell.offset + j)); });
  }
  /// Where v is x, and stored as bf16.
  __device__ __forceinline__ Neighbours place(const Line& line, const Cell& cell) const {
    return {reinterpret_cast<const Bf16*>(cell.array +
                                          static_cast<std::int64_t>(line.number + cell.pixel) * cell.pixel_bytes),
            cell.first.channel >= 0 && is_within(line.first.y + cell.first.y, source.v_h) &&
                is_within(line.first.x + cell.first.x, source.v_w)};
  }
};

/// dy[pixel of y that reads a pixel of v at a tap, channel of y]: as a matrix of the pixels of v and of taps and
/// channels. strided: whether the convolution's stride may be more than 1.
template <int width, Along lies, typename Taps, bool strided>
struct GradientPatches {
  static constexpr Along along = lies;
  ConstArray dy;
  Pixels<lies> pixels;  // of v
  int y_h, y_w, k;
  Taps taps;
  Divisor stride;
  int before;
  int step = 1;  // pixels of y from one of v to the next

  struct Line {
    Pixel first;  // of y at tap (0, 0), were the stride 1
    int number;   // that pixel's, as in Patches
  };
  struct Cell {
    TapChannel first;
    int k, offset;
    int pixel;
    const std::byte* array;  // from the channel on
  };
  __device__ Line line(int row) const {
    const Pixel v = pixels.at(row);
    const int y = v.y * step + before, x = v.x * step + before;
    return {{v.image, v ? y : far_away, x}, (v.image * y_h + y) * y_w + x};
  }
  __device__ Cell cell(int first_k, int offset) const {
    const TapChannel tap = taps.at(first_k, offset);
    return {tap, first_k, offset, tap.y * y_w + tap.x,
            static_cast<const std::byte*>(dy.data) + tap.channel * static_cast<int>(sizeof(Bf16))};
  }
  /// Of a pixel of y and its channel; < 0: there is none.
  __device__ std::int64_t index(const Line& line, const TapChannel& tap) const {
    const int y = line.first.y - tap.y, x = line.first.x - tap.x;
    if (tap.channel < 0 || y < 0 || x < 0) return -1;
    const int of_y = stride.quotient(y), of_x = stride.quotient(x);
    if (of_y * stride.value != y || of_x * stride.value != x || of_y >= y_h || of_x >= y_w) return -1;
    return ((static_cast<std::int64_t>(line.first.image) * y_h + of_y) * y_w + of_x) * k + tap.channel;
  }
  __device__ Pack<group> load(const Line& line, const Cell& cell) const {
    return neighbours<width>([&](int j) {
      return dy.at_or_zero<width>(index(line, j == 0 ? cell.first : taps.at(cell.k, cell.offset + j)));
    });
  }
  __device__ __forceinline__ Neighbours place(const Line& line, const Cell& cell) const {
    if constexpr (strided) return dy.place(index(line, cell.first));
    return {reinterpret_cast<const Bf16*>(cell.array + static_cast<std::int64_t>(line.number - cell.pixel) *
                                                           (k * static_cast<int>(sizeof(Bf16)))),
            cell.first.channel >= 0 && is_within(line.first.y - cell.first.y, y_h) &&
                is_within(line.first.x - cell.first.x, y_w)};
  }
};

/// weight[k,r,r,c] as a matrix of k and of taps and c; of several such weights, one behind the other for each k, where
/// batches of products are made.
template <int width, typename Taps>
struct Weights {
  static constexpr Along along = Along::k;
  ConstArray weight;
  int k, c;
  Taps taps;
  int batches = 1;

  using Line = int;  // where the line begins; < 0: none
  struct Cell {
    int k, offset;
    int from_line;  // < 0: none
  };
  __device__ Line line(int i) const {
    const int batch = batches > 1 ? static_cast<int>(blockIdx.z) : 0;
    return i < k ? (i * batches + batch) * (taps.r.value * taps.r.value * c) : -1;
  }
  __device__ Cell cell(int first_k, int offset) const {
    const TapChannel tap = taps.at(first_k, offset);
    return {first_k, offset, tap.channel < 0 ? -1 : (tap.y * taps.r.value + tap.x) * c + tap.channel};
  }
  /// Of an element in `weight`; < 0: none.
  __device__ static int index(Line line, const Cell& cell) {
    return (line | cell.from_line) >= 0 ? line + cell.from_line : -1;
  }
  __device__ Pack<group> load(Line line, const Cell& first) const {
    return neighbours<width>(
        [&](int j) { return weight.at_or_zero<width>(index(line, j == 0 ? first : cell(first.k, first.offset + j))); });
  }
  __device__ Neighbours place(Line line, const Cell& cell) const { return weight.place(index(line, cell)); }
};

}  // namespace kernels::BACKEND
