#include "kernels/perturb.h"

#include "kernels/draws.h"
#include "kernels/gpu_launch.h"

namespace kernels::BACKEND {
namespace {

/// Images of `count` elements, worked on in packs: pack p is elements first(p) and following of image(p).
struct Images {
  std::uint32_t count, width, channels, packs_per_image;
  std::int64_t packs;

  explicit Images(const Tensor& x)
      : count(static_cast<std::uint32_t>(x.shape.elements() / x.shape[0])),
        width(static_cast<std::uint32_t>(x.shape[2])),
        channels(static_cast<std::uint32_t>(x.shape[3])),
        packs_per_image((count + full_width - 1) / full_width),
        packs(x.shape[0] * packs_per_image) {}
  __device__ std::int64_t image(std::int64_t p) const { return p / packs_per_image; }
  __device__ std::uint32_t first(std::int64_t p) const {
    return static_cast<std::uint32_t>(p % packs_per_image) * full_width;
  }
};

template <bool whole>
__global__ void __launch_bounds__(block_threads)
    dequantise(Images images, std::uint64_t seed, Flip flip, PixelRange range, const std::uint8_t* pixels,
               const std::int64_t* samples, const std::int64_t* positions, float* x, float* mirrored) {
  for (std::int64_t p = first_item(); p < images.packs; p += item_stride()) {
    const std::int64_t n = images.image(p), position = positions[n], begin = n * images.count;
    const std::uint8_t* const image = pixels + (samples ? samples[n] : n) * images.count;
    const std::uint32_t first = images.first(p);
    const bool mirror = flip == Flip::random && draw_mirrored(seed, position);
    if (mirrored && first == 0) mirrored[n] = mirror ? 1.0f : 0.0f;
    Pack<full_width> out{};
    for (std::uint32_t j = 0; j < full_width; j += 4) {
      const Words words = draw_dequantisation(seed, position, (first + j) / 4);
      for (std::uint32_t i = 0; i < 4 && (whole || first + j + i < images.count); ++i) {
        const std::uint32_t to = first + j + i;
        const std::uint32_t from = mirror ? mirrored_element(to, images.width, images.channels) : to;
        out.value[j + i] = range.value(static_cast<float>(image[from]) + uniform_float(words.word[i]));
      }
    }
    store_present<whole>(x + begin + first, out, images.count - first);
  }
}

__global__ void __launch_bounds__(block_threads)
    draw_time(std::int64_t images, std::uint64_t seed, std::int64_t global_batch, TimeLaw law,
              const std::int64_t* positions, float* time, float* mean, float* deviation, float* label, float* weight) {
  for (std::int64_t n = first_item(); n < images; n += item_stride()) {
    const double t = sample_time(law, draw_quantile(seed, positions[n], global_batch));
    time[n] = static_cast<float>(t);
    mean[n] = static_cast<float>(mean_coefficient(law.sde, t));
    deviation[n] = static_cast<float>(standard_deviation(law.sde, t));
    label[n] = static_cast<float>(time_label(law.sde, t));
    weight[n] = static_cast<float>(training_weight(law, t));
  }
}

template <bool whole, typename T>
__global__ void __launch_bounds__(block_threads)
    perturb(Images images, std::uint64_t seed, const float* x, const float* mean, const float* deviation,
            const std::int64_t* positions, T* xt, float* noise) {
  for (std::int64_t p = first_item(); p < images.packs; p += item_stride()) {
    const std::int64_t n = images.image(p);
    const std::uint32_t first = images.first(p), present = images.count - first;
    const std::int64_t at = n * images.count + first;
    auto out = load_present<full_width, whole>(x + at, present);
    Pack<full_width> z;
    for (std::uint32_t j = 0; j < full_width; j += 4) {
      float four[4];
      draw_noise(seed, positions[n], (first + j) / 4, four);
      for (std::uint32_t i = 0; i < 4; ++i) {
        z.value[j + i] = four[i];
        out.value[j + i] = mean[n] * out.value[j + i] + deviation[n] * four[i];
      }
    }
    store_present<whole>(noise + at, z, present);
    store_present<whole>(xt + at, out, present);
  }
}

__global__ void __launch_bounds__(block_threads)
    drop_labels(std::int64_t images, std::uint64_t seed, std::int64_t null_label, float rate,
                const std::int64_t* labels, const std::int64_t* positions, std::int64_t* y) {
  for (std::int64_t n = first_item(); n < images; n += item_stride())
    y[n] = draw_dropped(seed, positions[n], rate) ? null_label : labels[n];
}

}  // namespace

template <>
Step prepare(const Dequantise& op, const GpuContext& context) {
  check_dequantise(op);
  ensure(op.x.element == Element::f32, "dequantised pixels are in f32: bf16 would round them");
  return {.run = [op, images = Images(op.x), stream = context.stream](const Memory& memory) {
    float* const x = memory.at<float>(op.x);
    with_width({images.count}, {x}, [&](auto width) {
      launch<dequantise<width == full_width>>(
          blocks_for(images.packs), block_threads, 0, stream, images, op.seed, op.flip, op.range,
          memory.at<const std::uint8_t>(op.pixels), memory.at<const std::int64_t>(op.samples),
          memory.at<const std::int64_t>(op.positions), x, memory.at<float>(op.mirrored));
    });
  }};
}

template <>
Step prepare(const DrawTime& op, const GpuContext& context) {
  return {.run = [op, images = op.positions.shape[0], stream = context.stream](const Memory& memory) {
    launch<draw_time>(blocks_for(images), block_threads, 0, stream, images, op.seed, op.global_batch, op.law,
                      memory.at<const std::int64_t>(op.positions), memory.at<float>(op.time), memory.at<float>(op.mean),
                      memory.at<float>(op.deviation), memory.at<float>(op.label), memory.at<float>(op.weight));
  }};
}

template <>
Step prepare(const Perturb& op, const GpuContext& context) {
  ensure(op.x.shape == op.xt.shape && op.x.shape == op.noise.shape, "Perturb keeps the shape");
  ensure(op.x.element == Element::f32 && op.noise.element == Element::f32, "an image and its noise are in f32");
  return with_type(op.xt.element, [&]<typename T>(std::type_identity<T>) -> Step {
    return {.run = [op, images = Images(op.x), stream = context.stream](const Memory& memory) {
      const float* const x = memory.at<float>(op.x);
      float* const noise = memory.at<float>(op.noise);
      T* const xt = memory.at<T>(op.xt);
      with_width({images.count}, {x, noise, xt}, [&](auto width) {
        launch<perturb<width == full_width, T>>(blocks_for(images.packs), block_threads, 0, stream, images, op.seed, x,
                                                memory.at<const float>(op.mean), memory.at<const float>(op.deviation),
                                                memory.at<const std::int64_t>(op.positions), xt, noise);
      });
    }};
  });
}

template <>
Step prepare(const DropLabels& op, const GpuContext& context) {
  ensure(op.labels.shape == op.positions.shape && op.labels.shape == op.y.shape, "DropLabels keeps the shape");
  return {.run = [op, images = op.y.shape[0], stream = context.stream](const Memory& memory) {
    launch<drop_labels>(blocks_for(images), block_threads, 0, stream, images, op.seed, op.null_label, op.rate,
                        memory.at<const std::int64_t>(op.labels), memory.at<const std::int64_t>(op.positions),
                        memory.at<std::int64_t>(op.y));
  }};
}

}  // namespace kernels::BACKEND
