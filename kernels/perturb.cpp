#include "kernels/perturb.h"

#include <algorithm>

#include "kernels/draws.h"
#include "kernels/parallel.h"

namespace kernels {
namespace {

std::uint32_t elements_per_image(const Tensor& images) {
  return static_cast<std::uint32_t>(images.shape.elements() / images.shape[0]);
}

}  // namespace

void check_dequantise(const Dequantise& op) {
  const Shape& from = op.pixels.shape;
  ensure(Shape{op.x.shape[0], from[1], from[2], from[3]} == op.x.shape && op.positions.shape[0] == op.x.shape[0],
         "Dequantise keeps the shape");
  ensure(op.samples ? op.samples.shape == op.positions.shape : from == op.x.shape,
         "Dequantise takes each image, or is told which");
}

Step prepare(const Dequantise& op, const CpuContext& context) {
  check_dequantise(op);
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const std::uint8_t* pixels = memory.at<std::uint8_t>(op.pixels);
    const std::int64_t *positions = memory.at<std::int64_t>(op.positions),
                       *samples = memory.at<std::int64_t>(op.samples);
    float *x = memory.at<float>(op.x), *mirrored = memory.at<float>(op.mirrored);
    const auto width = static_cast<std::uint32_t>(op.x.shape[2]), channels = static_cast<std::uint32_t>(op.x.shape[3]),
               count = elements_per_image(op.x);
    parallel_for(threads, op.x.shape[0], [&](std::int64_t n) {
      const bool mirror = op.flip == Flip::random && draw_mirrored(op.seed, positions[n]);
      if (mirrored) mirrored[n] = mirror ? 1.0f : 0.0f;
      const std::uint8_t* const image = pixels + (samples ? samples[n] : n) * count;
      for (std::uint32_t first = 0; first < count; first += 4) {
        const Words words = draw_dequantisation(op.seed, positions[n], first / 4);
        for (std::uint32_t i = first; i < std::min(first + 4, count); ++i) {
          const std::uint32_t from = mirror ? mirrored_element(i, width, channels) : i;
          const float level = static_cast<float>(image[from]);
          x[n * count + i] = op.range.value(level + uniform_float(words.word[i - first]));
        }
      }
    });
  }};
}

Step prepare(const DrawTime& op, const CpuContext&) {
  return {.run = [op](const Memory& memory) {
    const std::int64_t* positions = memory.at<std::int64_t>(op.positions);
    const auto set = [&](const Tensor& tensor, std::int64_t n, double value) {
      memory.at<float>(tensor)[n] = static_cast<float>(value);
    };
    for (std::int64_t n = 0; n < op.positions.shape[0]; ++n) {
      const double t = sample_time(op.law, draw_quantile(op.seed, positions[n], op.global_batch));
      set(op.time, n, t);
      set(op.mean, n, mean_coefficient(op.law.sde, t));
      set(op.deviation, n, standard_deviation(op.law.sde, t));
      set(op.label, n, time_label(op.law.sde, t));
      set(op.weight, n, training_weight(op.law, t));
    }
  }};
}

Step prepare(const Perturb& op, const CpuContext& context) {
  ensure(op.x.shape == op.xt.shape && op.x.shape == op.noise.shape, "Perturb keeps the shape");
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const float *x = memory.at<float>(op.x), *mean = memory.at<float>(op.mean),
                *deviation = memory.at<float>(op.deviation);
    const std::int64_t* positions = memory.at<std::int64_t>(op.positions);
    float *xt = memory.at<float>(op.xt), *noise = memory.at<float>(op.noise);
    const std::uint32_t count = elements_per_image(op.x);
    parallel_for(threads, op.x.shape[0], [&](std::int64_t n) {
      for (std::uint32_t first = 0; first < count; first += 4) {
        float z[4];
        draw_noise(op.seed, positions[n], first / 4, z);
        for (std::uint32_t i = first; i < std::min(first + 4, count); ++i) {
          noise[n * count + i] = z[i - first];
          xt[n * count + i] = mean[n] * x[n * count + i] + deviation[n] * z[i - first];
        }
      }
    });
  }};
}

Step prepare(const DropLabels& op, const CpuContext&) {
  ensure(op.labels.shape == op.positions.shape && op.labels.shape == op.y.shape, "DropLabels keeps the shape");
  return {.run = [op](const Memory& memory) {
    const std::int64_t *labels = memory.at<std::int64_t>(op.labels), *positions = memory.at<std::int64_t>(op.positions);
    std::int64_t* y = memory.at<std::int64_t>(op.y);
    for (std::int64_t n = 0; n < op.y.shape[0]; ++n)
      y[n] = draw_dropped(op.seed, positions[n], op.rate) ? op.null_label : labels[n];
  }};
}

}  // namespace kernels
