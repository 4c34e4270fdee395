#include "kernels/pointwise.h"

#include "kernels/gpu_launch.h"
#include "kernels/math.h"
#include "kernels/waves.h"

namespace kernels::BACKEND {
namespace {

struct SiluOf {
  __device__ float operator()(float x) const { return silu(x); }
};
struct SiluGradientOf {
  __device__ float operator()(float x, float dy) const { return dy * silu_derivative(x); }
  __device__ float operator()(float x, float dy, float dx) const { return dx + dy * silu_derivative(x); }
};
struct AffineOf {
  float scale, shift;
  __device__ float operator()(float x) const { return scale * x + shift; }
};

/// A range of channels of each row, added to y or put there.
template <int width, typename T>
__global__ void __launch_bounds__(block_threads)
    add_scaled(std::int64_t packs, Mode mode, float scale, const T* x, std::int64_t from, T* y, std::int64_t to) {
  for (std::int64_t p = first_item(); p < packs; p += item_stride()) {
    const std::int64_t row = p / (to / width), c = p % (to / width) * width;
    T* const out = y + row * to + c;
    const auto in = load<width>(x + row * from + c);
    Pack<width> sum = mode == Mode::accumulate ? load<width>(out) : Pack<width>{};
    for (int j = 0; j < width; ++j)
      sum.value[j] = mode == Mode::accumulate ? sum.value[j] + scale * in.value[j] : scale * in.value[j];
    store(out, sum);
  }
}

template <int width, typename X, typename Y>
__global__ void __launch_bounds__(block_threads)
    scale_images(std::int64_t packs, std::int64_t packs_per_image, const X* x, const float* factor, Y* y) {
  for (std::int64_t p = first_item(); p < packs; p += item_stride()) {
    auto image = load<width>(x + p * width);
    const float by = factor[p / packs_per_image];
    for (int j = 0; j < width; ++j) image.value[j] *= by;
    store(y + p * width, image);
  }
}

/// Row by row, `part` packs of x to y from `begin` on, where a row of y has `whole`.
template <int width, typename T>
__global__ void __launch_bounds__(block_threads)
    copy_rows(std::int64_t packs, const T* x, std::int64_t part, T* y, std::int64_t begin, std::int64_t whole) {
  for (std::int64_t p = first_item(); p < packs; p += item_stride())
    store(y + (p / part * whole + begin + p % part) * width, load<width>(x + p * width));
}

__global__ void __launch_bounds__(block_threads)
    time_embedding(std::int64_t waves, std::int64_t half, const float* label, float* y) {
  for (std::int64_t i = first_item(); i < waves; i += item_stride()) {
    const std::int64_t n = i / half, k = i % half;
    const Wave at = positional_wave(label[n], k, half);
    y[n * 2 * half + k] = at.sine;
    y[n * 2 * half + half + k] = at.cosine;
  }
}

__global__ void __launch_bounds__(block_threads)
    fourier_embedding(std::int64_t waves, std::int64_t k, const float* label, const float* frequency, float* y) {
  for (std::int64_t i = first_item(); i < waves; i += item_stride()) {
    const std::int64_t n = i / k, j = i % k;
    const Wave at = level_wave(label[n], frequency[j]);
    y[n * 2 * k + j] = at.sine;
    y[n * 2 * k + k + j] = at.cosine;
  }
}

template <typename T>
__device__ void put(T* y, float value) {
  store(y, Pack<1>{{value}});
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    fourier_features(std::int64_t elements, std::int64_t c, int first, int count, const float* x, T* y) {
  for (std::int64_t i = first_item(); i < elements; i += item_stride()) {
    T* const out = y + i / c * c * (1 + 2 * count) + i % c;
    put(out, x[i]);
    for (int e = 0; e < count; ++e) {
      const Wave at = feature_wave(x[i], first + e);
      put(out + (1 + 2 * e) * c, at.sine);
      put(out + (2 + 2 * e) * c, at.cosine);
    }
  }
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    fourier_features_gradient(std::int64_t elements, std::int64_t c, int first, int count, const float* x, const T* dy,
                              float* dx) {
  for (std::int64_t i = first_item(); i < elements; i += item_stride()) {
    const T* const in = dy + i / c * c * (1 + 2 * count) + i % c;
    double sum = 0;
    for (int e = 0; e < count; ++e)
      sum += feature_slope(x[i], first + e, widen(in[(1 + 2 * e) * c]), widen(in[(2 + 2 * e) * c]));
    dx[i] = static_cast<float>(widen(in[0]) + 2 * std::numbers::pi * sum);
  }
}

}  // namespace

template <>
Step prepare(const Silu& op, const GpuContext& context) {
  ensure(op.x.shape == op.y.shape && op.x.element == op.y.element, "Silu keeps shape and element");
  return with_type(op.x.element, [&]<typename T>(std::type_identity<T>) -> Step {
    return {.run = [op, stream = context.stream](const Memory& memory) {
      map(stream, op.x.shape.elements(), SiluOf{}, memory.at<T>(op.y), memory.at<const T>(op.x));
    }};
  });
}

template <>
Step prepare(const SiluGradient& op, const GpuContext& context) {
  ensure(op.x.shape == op.dx.shape && op.x.shape == op.dy.shape, "SiluGradient keeps the shape");
  ensure(op.x.element == op.dx.element && op.x.element == op.dy.element, "SiluGradient keeps the element");
  return with_type(op.x.element, [&]<typename T>(std::type_identity<T>) -> Step {
    return {.run = [op, stream = context.stream](const Memory& memory) {
      const T *x = memory.at<T>(op.x), *dy = memory.at<T>(op.dy);
      T* const dx = memory.at<T>(op.dx);
      const std::int64_t count = op.x.shape.elements();
      if (op.mode == Mode::accumulate)
        map(stream, count, SiluGradientOf{}, dx, x, dy, static_cast<const T*>(dx));
      else
        map(stream, count, SiluGradientOf{}, dx, x, dy);
    }};
  });
}

template <>
Step prepare(const AddScaled& op, const GpuContext& context) {
  const int last = op.x.shape.rank() - 1;
  const std::int64_t from = op.x.shape[last], to = op.y.shape[last], rows = op.y.shape.elements() / to;
  ensure(rows * from == op.x.shape.elements() && op.first_channel + to <= from, "AddScaled reads channels that x has");
  ensure(op.x.element == op.y.element, "AddScaled keeps the element");
  return with_type(op.x.element, [&]<typename T>(std::type_identity<T>) -> Step {
    return {.run = [=, stream = context.stream](const Memory& memory) {
      const T* const x = memory.at<T>(op.x) + op.first_channel;
      T* const y = memory.at<T>(op.y);
      with_width({from, to}, {x, y}, [&](auto width) {
        const std::int64_t packs = rows * to / width;
        launch<add_scaled<width, T>>(blocks_for(packs), block_threads, 0, stream, packs, op.mode, op.scale, x, from, y,
                                     to);
      });
    }};
  });
}

template <>
Step prepare(const Affine& op, const GpuContext& context) {
  ensure(op.x.shape == op.y.shape, "Affine keeps the shape");
  return with_types(op.x, op.y, [&]<typename X, typename Y>(std::type_identity<X>, std::type_identity<Y>) -> Step {
    return {.run = [op, stream = context.stream](const Memory& memory) {
      map(stream, op.x.shape.elements(), AffineOf{op.scale, op.shift}, memory.at<Y>(op.y), memory.at<const X>(op.x));
    }};
  });
}

template <>
Step prepare(const ScaleImages& op, const GpuContext& context) {
  const std::int64_t images = op.x.shape[0], count = op.x.shape.elements() / images;
  ensure(op.x.shape == op.y.shape && op.factor.shape == Shape{images}, "ScaleImages has one factor for each image");
  return with_types(op.x, op.y, [&]<typename X, typename Y>(std::type_identity<X>, std::type_identity<Y>) -> Step {
    return {.run = [=, stream = context.stream](const Memory& memory) {
      const X* const x = memory.at<X>(op.x);
      Y* const y = memory.at<Y>(op.y);
      with_width({count}, {x, y}, [&](auto width) {
        const std::int64_t packs = images * count / width;
        launch<scale_images<width, X, Y>>(blocks_for(packs), block_threads, 0, stream, packs, count / width, x,
                                          memory.at<const float>(op.factor), y);
      });
    }};
  });
}

template <>
Step prepare(const TimeEmbedding& op, const GpuContext& context) {
  const std::int64_t images = op.y.shape[0], half = op.y.shape[1] / 2, waves = images * half;
  ensure(op.y.shape[1] == 2 * half && half >= 2, "a time embedding has an even number of at least four channels");
  return {.run = [=, stream = context.stream](const Memory& memory) {
    launch<time_embedding>(blocks_for(waves), block_threads, 0, stream, waves, half, memory.at<const float>(op.label),
                           memory.at<float>(op.y));
  }};
}

template <>
Step prepare(const FourierEmbedding& op, const GpuContext& context) {
  const std::int64_t images = op.label.shape[0], k = op.frequencies.shape[0], waves = images * k;
  ensure(op.y.shape == Shape{images, 2 * k}, "a Fourier embedding has two channels a frequency");
  return {.run = [=, stream = context.stream](const Memory& memory) {
    launch<fourier_embedding>(blocks_for(waves), block_threads, 0, stream, waves, k, memory.at<const float>(op.label),
                              memory.at<const float>(op.frequencies), memory.at<float>(op.y));
  }};
}

template <>
Step prepare(const FourierFeatures& op, const GpuContext& context) {
  const std::int64_t c = op.x.shape[op.x.shape.rank() - 1], elements = op.x.shape.elements();
  ensure(op.y.shape.elements() == elements * (1 + 2 * op.count) && op.x.element == Element::f32,
         "Fourier features have two channels a frequency beside each channel, of pixels in f32");
  return with_type(op.y.element, [&]<typename T>(std::type_identity<T>) -> Step {
    return {.run = [=, stream = context.stream](const Memory& memory) {
      launch<fourier_features<T>>(blocks_for(elements), block_threads, 0, stream, elements, c, op.first, op.count,
                                  memory.at<const float>(op.x), memory.at<T>(op.y));
    }};
  });
}

template <>
Step prepare(const FourierFeaturesGradient& op, const GpuContext& context) {
  const std::int64_t c = op.x.shape[op.x.shape.rank() - 1], elements = op.x.shape.elements();
  ensure(op.dy.shape.elements() == elements * (1 + 2 * op.count) && op.dx.shape == op.x.shape,
         "Fourier features' gradient fits them");
  ensure(op.x.element == Element::f32 && op.dx.element == Element::f32, "pixels and their gradient are in f32");
  return with_type(op.dy.element, [&]<typename T>(std::type_identity<T>) -> Step {
    return {.run = [=, stream = context.stream](const Memory& memory) {
      launch<fourier_features_gradient<T>>(blocks_for(elements), block_threads, 0, stream, elements, c, op.first,
                                           op.count, memory.at<const float>(op.x), memory.at<const T>(op.dy),
                                           memory.at<float>(op.dx));
    }};
  });
}

template <>
Step prepare(const Concatenate& op, const GpuContext& context) {
  const ConcatenatedRows at = concatenated_rows(op);
  ensure(op.x0.element == op.y.element && op.x1.element == op.y.element, "Concatenate keeps the element");
  return with_type(op.y.element, [&]<typename T>(std::type_identity<T>) -> Step {
    return {.run = [=, stream = context.stream](const Memory& memory) {
      const T *x0 = memory.at<T>(op.x0), *x1 = memory.at<T>(op.x1);
      T* const y = memory.at<T>(op.y);
      with_width({at.part0, at.part1}, {x0, x1, y}, [&](auto width) {
        const auto copy = [&](const T* x, std::int64_t part, std::int64_t begin) {
          const std::int64_t packs = at.rows * part / width;
          launch<copy_rows<width, T>>(blocks_for(packs), block_threads, 0, stream, packs, x, part / width, y,
                                      begin / width, at.whole() / width);
        };
        copy(x0, at.part0, 0);
        copy(x1, at.part1, at.part0);
      });
    }};
  });
}

}  // namespace kernels::BACKEND
