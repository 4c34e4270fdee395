#include "kernels/perturb.h"

#include <algorithm>

#include "kernels/parallel.h"
#include "kernels/philox.h"

namespace kernels {
namespace {

std::int64_t elements_per_image(const Tensor& images) {
  return images.shape.elements() / images.shape[0];
}

}  // namespace

Step prepare(const Dequantise& op, const CpuContext& context) {
  ensure(op.pixels.shape == op.x.shape && op.positions.shape[0] == op.x.shape[0], "Dequantise keeps the shape");
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const std::uint8_t* pixels = memory.at<std::uint8_t>(op.pixels);
    const std::int64_t* positions = memory.at<std::int64_t>(op.positions);
    float *x = memory.at<float>(op.x), *mirrored = memory.at<float>(op.mirrored);
    const std::int64_t width = op.x.shape[2], channels = op.x.shape[3], count = elements_per_image(op.x);
    parallel_for(threads, op.x.shape[0], [&](std::int64_t n) {
      const auto position = static_cast<std::uint64_t>(positions[n]);
      const bool mirror = op.flip == Flip::random && (philox(op.seed, Stream::flip, position, 0).word[0] & 1) != 0;
      if (mirrored) mirrored[n] = mirror ? 1.0f : 0.0f;
      for (std::int64_t first = 0; first < count; first += 4) {
        const Words words = philox(op.seed, Stream::dequantise, position, static_cast<std::uint32_t>(first / 4));
        for (std::int64_t i = first; i < std::min(first + 4, count); ++i) {
          const std::int64_t column = i / channels % width, shift = (width - 1 - 2 * column) * channels;
          const float level = static_cast<float>(pixels[n * count + (mirror ? i + shift : i)]);
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
      const std::int64_t step = positions[n] / op.global_batch, image = positions[n] % op.global_batch;
      const Words words = philox(op.seed, Stream::time, static_cast<std::uint64_t>(step), 0);
      const double shifted = uniform_double(words.word[0], words.word[1]) +
                             static_cast<double>(image) / static_cast<double>(op.global_batch);
      const double t = sample_time(op.law, shifted < 1 ? shifted : shifted - 1);
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
    const std::int64_t count = elements_per_image(op.x);
    parallel_for(threads, op.x.shape[0], [&](std::int64_t n) {
      for (std::int64_t first = 0; first < count; first += 4) {
        const Words words = philox(op.seed, Stream::noise, static_cast<std::uint64_t>(positions[n]),
                                   static_cast<std::uint32_t>(first / 4));
        float z[4];
        normal_pair(words.word[0], words.word[1], z[0], z[1]);
        normal_pair(words.word[2], words.word[3], z[2], z[3]);
        for (std::int64_t i = first; i < std::min(first + 4, count); ++i) {
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
    for (std::int64_t n = 0; n < op.y.shape[0]; ++n) {
      const Words words = philox(op.seed, Stream::label, static_cast<std::uint64_t>(positions[n]), 0);
      y[n] = uniform_float(words.word[0]) < op.rate ? op.null_label : labels[n];
    }
  }};
}

}  // namespace kernels
