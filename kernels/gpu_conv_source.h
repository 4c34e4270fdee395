// The way of a convolution's sources through its prologue, element by element, and back; for kernels only.
#pragma once

#include "kernels/dropout.h"
#include "kernels/fir.h"
#include "kernels/gpu_pixels.h"
#include "kernels/math.h"

namespace kernels::BACKEND {

/// Multiplies the elements from `first` on of the image at the position by dropout's factors.
template <int width>
__device__ __forceinline__ void drop(const Dropout& dropout, std::int64_t position, std::int64_t first,
                                     Pack<width>& pack) {
#pragma unroll
  for (int j = 0; j < width; j += 4) {
    const Words words = draw_dropout(dropout, position, static_cast<std::uint32_t>((first + j) / 4));
#pragma unroll
    for (int i = 0; i < 4 && j + i < width; ++i)
      pack.value[j + i] *= dropout_factor(dropout.rate, words.word[width == 1 ? first % 4 : i]);
  }
}

/// concat(x0, x1) [n,h,w,c] and what the prologue makes of it, up to u = dropout(activation(a x + b)), and v = u
/// doubled or halved. width: how many channels are handled together, of which c0 and c are multiples.
template <int width>
struct Source {
  ConstArray x0, x1;
  int n, h, w, c0, c;
  const float2* coefficients;
  Activation activation;
  Dropout dropout;
  const std::int64_t* positions;
  Resample resample;  // none, up or down
  int v_h, v_w;

  __device__ std::int64_t element(const Pixel& at, int channel) const {
    return (static_cast<std::int64_t>(at.y) * w + at.x) * c + channel;
  }

  struct Place {
    ConstArray in;
    std::int64_t i;
  };
  __device__ __forceinline__ Place place(const Pixel& at, int channel) const {
    const std::int64_t pixel = (static_cast<std::int64_t>(at.image) * h + at.y) * w + at.x;
    return channel < c0 ? Place{x0, pixel * c0 + channel} : Place{x1, pixel * (c - c0) + channel - c0};
  }

  template <int n = width>
  __device__ __forceinline__ Pack<n> x(const Pixel& at, int channel) const {
    const Place x = place(at, channel);
    return x.in.template at<n>(x.i);
  }

  __device__ __forceinline__ Pack<width> z(const Pixel& at, int channel) const {
    Pack<width> pack = x(at, channel);
    if (coefficients) {
#pragma unroll
      for (int j = 0; j < width; ++j) {
        const float2 map = coefficients[static_cast<std::int64_t>(at.image) * c + channel + j];
        pack.value[j] = map.x * pack.value[j] + map.y;
      }
    }
    return pack;
  }

  __device__ __forceinline__ Pack<width> u(const Pixel& at, int channel) const {
    Pack<width> pack = z(at, channel);
    if (activation == Activation::silu) {
#pragma unroll
      for (int j = 0; j < width; ++j) pack.value[j] = silu(pack.value[j]);
    }
    if (dropout.rate > 0) drop(dropout, positions[at.image], element(at, channel), pack);
    return pack;
  }

  __device__ bool is_outside(const Pixel& at) const {
    return at.y < 0 || at.y >= v_h || at.x < 0 || at.x >= v_w;
  }

  /// 0 outside the image.
  __device__ __forceinline__ Pack<width> v(const Pixel& at, int channel) const {
    if (is_outside(at)) return {};
    if (resample == Resample::none) return u(at, channel);
    if (resample == Resample::up) return u({at.image, at.y / 2, at.x / 2}, channel);
    Pack<width> sum{};
    for (int i = 0; i < 4; ++i) {
      const Pack<width> one = u({at.image, 2 * at.y + i / 2, 2 * at.x + i % 2}, channel);
#pragma unroll
      for (int j = 0; j < width; ++j) sum.value[j] += 0.25f * one.value[j];
    }
    return sum;
  }

  /// Whether v is x, and stored as bf16; then, where it lies, null outside the image.
  __device__ bool is_plain() const {
    return x0.element == Element::bf16 && (!x1 || x1.element == Element::bf16) && !coefficients &&
           activation == Activation::none && dropout.rate == 0 && resample == Resample::none;
  }
  __device__ __forceinline__ const Bf16* address(const Pixel& at, int channel) const {
    if (is_outside(at)) return nullptr;
    const Place x = place(at, channel);
    return x.in.address(x.i);
  }

  /// dz = scale * du through dropout and activation.
  __device__ __forceinline__ Pack<width> reverse(const Pixel& at, int channel, float scale, Pack<width> du) const {
    if (dropout.rate > 0) drop(dropout, positions[at.image], element(at, channel), du);
#pragma unroll
    for (int j = 0; j < width; ++j) du.value[j] *= scale;
    if (activation == Activation::silu) {
      const Pack<width> before = z(at, channel);
#pragma unroll
      for (int j = 0; j < width; ++j) du.value[j] *= silu_derivative(before.value[j]);
    }
    return du;
  }
};

/// Pack number i of images of height h, width w and c channels.
struct PackOfImages {
  Pixel at;
  int channel;
};
template <int width>
__device__ __forceinline__ PackOfImages pack_of_images(std::int64_t i, int h, int w, int c) {
  const int packs = c / width;
  const std::int64_t pixel = i / packs;
  return {{static_cast<int>(pixel / w / h), static_cast<int>(pixel / w % h), static_cast<int>(pixel % w)},
          static_cast<int>(i % packs) * width};
}

/// v by the filter, from u.
template <int width>
__global__ void __launch_bounds__(block_threads)
    filter_kernel(Source<width> source, Filter filter, int v_h, int v_w, Array v) {
  const std::int64_t count = static_cast<std::int64_t>(source.n) * v_h * v_w * (source.c / width);
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    const auto [at, channel] = pack_of_images<width>(i, v_h, v_w, source.c);
    Pack<width> sum{};
    for (int taps = 0; taps < 16; ++taps) {
      const FilterTap row = filter.source(at.y, taps / 4, source.h), column = filter.source(at.x, taps % 4, source.w);
      if (row.at < 0 || column.at < 0) continue;
      const Pack<width> u = source.u({at.image, row.at, column.at}, channel);
#pragma unroll
      for (int j = 0; j < width; ++j) sum.value[j] += row.weight * column.weight * u.value[j];
    }
    v.set(i * width, sum);
  }
}

/// v as it is.
template <int width>
__global__ void __launch_bounds__(block_threads) resize_kernel(Source<width> source, Array v) {
  const std::int64_t count = static_cast<std::int64_t>(source.n) * source.v_h * source.v_w * (source.c / width);
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    const auto [at, channel] = pack_of_images<width>(i, source.v_h, source.v_w, source.c);
    v.set(i * width, source.v(at, channel));
  }
}

/// du of one pixel from dv[n,v_h,v_w,c], by the transposed doubling, halving or filter.
template <int width>
__device__ __forceinline__ Pack<width> resample_gradient(const Source<width>& source, Resample resample,
                                                         const Filter& filter, const ConstArray& dv, int v_h, int v_w,
                                                         const Pixel& at, int channel) {
  Pack<width> sum{};
  const auto add = [&](int y, int x, float weight) {
    const Pack<width> one =
        dv.at<width>(((static_cast<std::int64_t>(at.image) * v_h + y) * v_w + x) * source.c + channel);
#pragma unroll
    for (int j = 0; j < width; ++j) sum.value[j] += weight * one.value[j];
  };
  if (resample == Resample::up) {
    for (int i = 0; i < 4; ++i) add(2 * at.y + i / 2, 2 * at.x + i % 2, 1);
  } else if (resample == Resample::down) {
    add(at.y / 2, at.x / 2, 0.25f);
  } else {
    for (int taps = 0; taps < 16; ++taps) {
      const FilterTap row = filter.target(at.y, taps / 4, v_h), column = filter.target(at.x, taps % 4, v_w);
      if (row.at >= 0 && column.at >= 0) add(row.at, column.at, row.weight * column.weight);
    }
  }
  return sum;
}

template <int width>
__global__ void __launch_bounds__(block_threads)
    reverse_kernel(Source<width> source, Resample resample, Filter filter, ConstArray dv, int v_h, int v_w, float scale,
                   Array dz) {
  const std::int64_t count = static_cast<std::int64_t>(source.n) * source.h * source.w * (source.c / width);
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    const auto [at, channel] = pack_of_images<width>(i, source.h, source.w, source.c);
    dz.set(i * width,
           source.reverse(at, channel, scale, resample_gradient(source, resample, filter, dv, v_h, v_w, at, channel)));
  }
}

}  // namespace kernels::BACKEND
