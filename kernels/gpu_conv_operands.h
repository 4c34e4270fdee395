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

/// Number i of `taps` taps (r to a row) times `channels`.
__device__ __forceinline__ TapChannel tap_channel(int i, int taps, int r, int channels) {
  const int tap = i / channels;
  if (tap >= taps) return {0, 0, -1};
  return {tap / r, tap % r, i % channels};
}

/// v[pixel of y at a tap, channel]: as a matrix of the pixels of y and of taps and channels.
template <int width, Along lies>
struct Patches {
  static constexpr Along along = lies;
  Source<width> source;
  PixelRows rows;  // the pixels of y
  int r, stride, before;
  Phases phases = {};

  struct Line {
    int image, y, x;  // of tap (0, 0)
  };
  struct Cell {
    TapChannel first;
    int number;
  };
  __device__ Line line(int row) const {
    const Pixel at = rows.at(row);
    return {at.image, at.y * stride - before + phases.a(), at.x * stride - before + phases.b()};
  }
  __device__ Cell cell(int i) const { return {tap_channel(i, r * r, r, source.c), i}; }
  __device__ static Pixel pixel(const Line& line, const TapChannel& tap) {
    return {line.image, line.y + tap.y, line.x + tap.x};
  }
  __device__ Pack<width> at(const Line& line, const TapChannel& tap) const {
    if (line.image < 0 || tap.channel < 0) return {};
    return source.v(pixel(line, tap), tap.channel);
  }
  __device__ Pack<group> load(const Line& line, const Cell& cell) const {
    return neighbours<width>(
        [&](int j) { return at(line, j == 0 ? cell.first : tap_channel(cell.number + j, r * r, r, source.c)); });
  }
  __device__ bool is_plain() const { return width == group && source.is_plain(); }
  __device__ const Bf16* address(const Line& line, const Cell& cell) const {
    if (line.image < 0 || cell.first.channel < 0) return nullptr;
    return source.address(pixel(line, cell.first), cell.first.channel);
  }
};

/// dy[pixel of y that reads a pixel of v at a tap, channel of y]: as a matrix of the pixels of v and of taps and
/// channels.
template <int width, Along lies>
struct GradientPatches {
  static constexpr Along along = lies;
  ConstArray dy;
  PixelRows rows;  // the pixels of v
  int y_h, y_w, k, r, stride, before;
  int step = 1;  // pixels of y from one of v to the next

  using Line = Pixel;
  struct Cell {
    TapChannel first;
    int number;
  };
  __device__ Line line(int row) const { return rows.at(row); }
  __device__ Cell cell(int i) const { return {tap_channel(i, r * r, r, k), i}; }
  /// Of an element in `dy`; < 0: none.
  __device__ std::int64_t index(const Pixel& v, const TapChannel& tap) const {
    const int y = v.y * step + before - tap.y, x = v.x * step + before - tap.x;
    if (!v || tap.channel < 0 || y < 0 || x < 0 || y % stride != 0 || x % stride != 0 || y / stride >= y_h ||
        x / stride >= y_w)
      return -1;
    return ((static_cast<std::int64_t>(v.image) * y_h + y / stride) * y_w + x / stride) * k + tap.channel;
  }
  __device__ Pack<group> load(const Line& line, const Cell& cell) const {
    return neighbours<width>([&](int j) {
      return dy.at_or_zero<width>(index(line, j == 0 ? cell.first : tap_channel(cell.number + j, r * r, r, k)));
    });
  }
  __device__ bool is_plain() const { return width == group && dy.element == Element::bf16; }
  __device__ const Bf16* address(const Line& line, const Cell& cell) const {
    return dy.address(index(line, cell.first));
  }
};

/// weight[k,r,r,c] as a matrix of c and of taps and k.
template <int width>
struct TurnedWeights {
  static constexpr Along along = Along::rows;
  ConstArray weight;
  int k, taps, c;

  using Line = std::int64_t;  // where the line begins; < 0: none
  using Cell = int;
  __device__ Line line(int i) const {
    return i < taps * k ? (static_cast<std::int64_t>(i % k) * taps + i / k) * c : -1;
  }
  __device__ Cell cell(int j) const { return j; }
  /// Of an element in `weight`; < 0: none.
  __device__ std::int64_t index(Line line, int cell) const { return line >= 0 && cell < c ? line + cell : -1; }
  __device__ Pack<group> load(Line line, int cell) const {
    return neighbours<width>([&](int j) { return weight.at_or_zero<width>(index(line, cell + j)); });
  }
  __device__ bool is_plain() const { return width == group && weight.element == Element::bf16; }
  __device__ const Bf16* address(Line line, int cell) const { return weight.address(index(line, cell)); }
};

}  // namespace kernels::BACKEND
