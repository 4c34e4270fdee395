// The way of a convolution's sources through its prologue, element by element, and back; for kernels only.
#pragma once

#include "kernels/dropout.h"
#include "kernels/fir.h"
#include "kernels/gpu_math.h"
#include "kernels/gpu_pixels.h"

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

template <int width>
__device__ __forceinline__ Pack<2 * width> load_pairs(const float2* pairs) {
  if constexpr (width == 1)
    return {{pairs->x, pairs->y}};
  else
    return load<2 * width>(reinterpret_cast<const float*>(pairs));
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

  /// The pixel's number in its image.
  __device__ int number(const Pixel& at) const { return at.y * w + at.x; }

  /// x of a pixel of an image; with n = 1 of the channel alone.
  template <int n_channels = width>
  __device__ __forceinline__ Pack<n_channels> x(int image, int pixel, int channel) const {
    const std::int64_t i = static_cast<std::int64_t>(image) * (h * w) + pixel;
    return channel < c0 ? x0.template at<n_channels>(i * c0 + channel)
                        : x1.template at<n_channels>(i * (c - c0) + channel - c0);
  }

  /// a and b of each channel.
  __device__ __forceinline__ Pack<2 * width> maps(int image, int channel) const {
    if (coefficients) return load_pairs<width>(coefficients + static_cast<std::int64_t>(image) * c + channel);
    return {};
  }
  /// a x + b, from x.
  __device__ __forceinline__ Pack<width> z(const Pack<2 * width>& maps, Pack<width> pack) const {
    if (coefficients) {
#pragma unroll
      for (int j = 0; j < width; ++j) pack.value[j] = maps.value[2 * j] * pack.value[j] + maps.value[2 * j + 1];
    }
    return pack;
  }

  __device__ __forceinline__ Pack<width> u(const Pixel& at, int channel) const {
    const int pixel = number(at);
    Pack<width> pack = z(maps(at.image, channel), x(at.image, pixel, channel));
    if (activation == Activation::silu) {
#pragma unroll
      for (int j = 0; j < width; ++j) pack.value[j] = quick_silu(pack.value[j]);
    }
    drop(at.image, pixel, channel, pack);
    return pack;
  }

  /// 0 outside the image.
  __device__ __forceinline__ Pack<width> v(const Pixel& at, int channel) const {
    if (!is_within(at.y, v_h) || !is_within(at.x, v_w)) return {};
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

  /// dz = scale * du through dropout and activation, which takes x.
  __device__ __forceinline__ Pack<width> reverse(int image, int pixel, int channel, float scale,
                                                 const Pack<2 * width>& maps, const Pack<width>& of_x,
                                                 Pack<width> du) const {
    drop(image, pixel, channel, du);
#pragma unroll
    for (int j = 0; j < width; ++j) du.value[j] *= scale;
    if (activation == Activation::silu) {
      const Pack<width> before = z(maps, of_x);
#pragma unroll
      for (int j = 0; j < width; ++j) du.value[j] *= quick_silu_derivative(before.value[j]);
    }
    return du;
  }

 private:
  /// Multiplies by dropout's factors.
  __device__ __forceinline__ void drop(int image, int pixel, int channel, Pack<width>& pack) const {
    if (dropout.rate > 0)
      kernels::BACKEND::drop(dropout, positions[image], static_cast<std::int64_t>(pixel) * c + channel, pack);
  }
};

/// The packs of images [n,h,w,c] in their order.
struct PackOfImages {
  Pixel at;
  int channel;
};
template <int width>
struct PacksOfImages {
  Divisor h, w, of_pixel;
  int count;
  PacksOfImages(int images, int height, int columns, int channels)
      : h(height),
        w(columns),
        of_pixel(channels / width),
        count(counted(std::int64_t{images} * height * columns * of_pixel.value)) {}
  __device__ PackOfImages at(int i) const {
    const int pixel = of_pixel.quotient(i), line = w.quotient(pixel);
    return {{h.quotient(line), h.remainder(line), w.remainder(pixel)}, of_pixel.remainder(i) * width};
  }
};

/// v by the filter, from u.
template <int width>
__global__ void __launch_bounds__(block_threads)
    filter_kernel(PacksOfImages<width> packs, Source<width> source, Filter filter, Array v) {
  for (std::int64_t i = first_item(); i < packs.count; i += item_stride()) {
    const auto [at, channel] = packs.at(static_cast<int>(i));
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
__global__ void __launch_bounds__(block_threads)
    resize_kernel(PacksOfImages<width> packs, Source<width> source, Array v) {
  for (std::int64_t i = first_item(); i < packs.count; i += item_stride()) {
    const auto [at, channel] = packs.at(static_cast<int>(i));
    v.set(i * width, source.v(at, channel));
  }
}

/// v, by the filter where the resampling is one.
template <int width>
void make_resized(void* stream, const Source<width>& source, Resample resample, const Array& v) {
  const PacksOfImages<width> packs(source.n, source.v_h, source.v_w, source.c);
  const unsigned blocks = blocks_for(packs.count);
  if (is_filter(resample))
    launch<filter_kernel<width>>(blocks, block_threads, 0, stream, packs, source, filter_of(resample), v);
  else
    launch<resize_kernel<width>>(blocks, block_threads, 0, stream, packs, source, v);
}

/// du of one pixel from dv[n,v_h,v_w,c], by the transposed doubling, halving or filter.
template <int width>
__device__ __forceinline__ Pack<width> resample_gradient(const Source<width>& source, Resample resample,
                                                         const Filter& filter, const ConstArray& dv, const Pixel& at,
                                                         int channel) {
  Pack<width> sum{};
  const auto add = [&](int y, int x, float weight) {
    const Pack<width> one =
        dv.at<width>(((static_cast<std::int64_t>(at.image) * source.v_h + y) * source.v_w + x) * source.c + channel);
#pragma unroll
    for (int j = 0; j < width; ++j) sum.value[j] += weight * one.value[j];
  };
  if (resample == Resample::up) {
    for (int i = 0; i < 4; ++i) add(2 * at.y + i / 2, 2 * at.x + i % 2, 1);
  } else if (resample == Resample::down) {
    add(at.y / 2, at.x / 2, 0.25f);
  } else {
    for (int taps = 0; taps < 16; ++taps) {
      const FilterTap row = filter.target(at.y, taps / 4, source.v_h),
                      column = filter.target(at.x, taps % 4, source.v_w);
      if (row.at >= 0 && column.at >= 0) add(row.at, column.at, row.weight * column.weight);
    }
  }
  return sum;
}

template <int width>
__global__ void __launch_bounds__(block_threads)
    reverse_kernel(PacksOfImages<width> packs, Source<width> source, Resample resample, Filter filter, ConstArray dv,
                   float scale, Array dz) {
  for (std::int64_t i = first_item(); i < packs.count; i += item_stride()) {
    const auto [at, channel] = packs.at(static_cast<int>(i));
    const int pixel = source.number(at);
    const Pack<width> x = source.x0 ? source.x(at.image, pixel, channel) : Pack<width>{};
    dz.set(i * width, source.reverse(at.image, pixel, channel, scale, source.maps(at.image, channel), x,
                                     resample_gradient(source, resample, filter, dv, at, channel)));
  }
}

/// dz from dv[n,v_h,v_w,c].
template <int width>
void reverse_resized(void* stream, const Source<width>& source, Resample resample, const ConstArray& dv, float scale,
                     const Array& dz) {
  const PacksOfImages<width> packs(source.n, source.h, source.w, source.c);
  launch<reverse_kernel<width>>(blocks_for(packs.count), block_threads, 0, stream, packs, source, resample,
                                filter_of(resample), dv, scale, dz);
}

}  // namespace kernels::BACKEND
