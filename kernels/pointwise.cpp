#include "kernels/pointwise.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/math.h"
#include "kernels/stored.h"
#include "kernels/waves.h"

namespace kernels {

Step prepare(const Silu& op, const CpuContext& context) {
  ensure(op.x.shape == op.y.shape, "Silu keeps the shape");
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const float* x = memory.at<float>(op.x);
    float* y = memory.at<float>(op.y);
    for_each_chunk(threads, op.x.shape.elements(), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) y[i] = silu(x[i]);
    });
  }};
}

Step prepare(const SiluGradient& op, const CpuContext& context) {
  ensure(op.x.shape == op.dx.shape && op.x.shape == op.dy.shape, "SiluGradient keeps the shape");
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const float *x = memory.at<float>(op.x), *dy = memory.at<float>(op.dy);
    float* dx = memory.at<float>(op.dx);
    for_each_chunk(threads, op.x.shape.elements(), [=, mode = op.mode](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const float gradient = dy[i] * silu_derivative(x[i]);
        dx[i] = mode == Mode::accumulate ? dx[i] + gradient : gradient;
      }
    });
  }};
}

Step prepare(const AddScaled& op, const CpuContext& context) {
  const int last = op.x.shape.rank() - 1;
  const std::int64_t from = op.x.shape[last], to = op.y.shape[last], rows = op.y.shape.elements() / to;
  ensure(rows * from == op.x.shape.elements() && op.first_channel + to <= from, "AddScaled reads channels that x has");
  ensure(op.x.element == op.y.element, "AddScaled's operands are stored alike");
  return {.run = [op, from, to, rows, threads = context.threads](const Memory& memory) {
    with_stored(memory, op.y, [&]<typename T>(T* y) {
      const T* const x = memory.at<T>(op.x) + op.first_channel;
      constexpr std::int64_t rows_per_block = 256;
      parallel_for(threads, (rows + rows_per_block - 1) / rows_per_block, [&](std::int64_t block) {
        for (std::int64_t row = block * rows_per_block; row < std::min((block + 1) * rows_per_block, rows); ++row) {
          const T* __restrict in = x + row * from;
          T* __restrict out = y + row * to;
#pragma omp simd
          for (std::int64_t c = 0; c < to; ++c) {
            const float value = op.scale * widen(in[c]);
            out[c] = stored(op.mode == Mode::accumulate ? widen(out[c]) + value : value, out);
          }
        }
      });
    });
  }};
}

Step prepare(const Affine& op, const CpuContext& context) {
  ensure(op.x.shape == op.y.shape, "Affine keeps the shape");
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const float* x = memory.at<float>(op.x);
    float* y = memory.at<float>(op.y);
    for_each_chunk(threads, op.x.shape.elements(), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) y[i] = op.scale * x[i] + op.shift;
    });
  }};
}

Step prepare(const ScaleImages& op, const CpuContext& context) {
  const std::int64_t images = op.x.shape[0], count = op.x.shape.elements() / images;
  ensure(op.x.shape == op.y.shape && op.factor.shape == Shape{images}, "ScaleImages has one factor for each image");
  return {.run = [=, threads = context.threads](const Memory& memory) {
    const float *x = memory.at<float>(op.x), *factor = memory.at<float>(op.factor);
    float* y = memory.at<float>(op.y);
    parallel_for(threads, images, [=](std::int64_t n) {
      for (std::int64_t i = n * count; i < (n + 1) * count; ++i) y[i] = factor[n] * x[i];
    });
  }};
}

Step prepare(const TimeEmbedding& op, const CpuContext&) {
  const std::int64_t images = op.y.shape[0], half = op.y.shape[1] / 2;
  ensure(op.y.shape[1] == 2 * half && half >= 2, "a time embedding has an even number of at least four channels");
  return {.run = [op, images, half](const Memory& memory) {
    const float* label = memory.at<float>(op.label);
    float* y = memory.at<float>(op.y);
    for (std::int64_t n = 0; n < images; ++n) {
      for (std::int64_t k = 0; k < half; ++k) {
        const Wave at = positional_wave(label[n], k, half);
        y[n * 2 * half + k] = at.sine;
        y[n * 2 * half + half + k] = at.cosine;
      }
    }
  }};
}

Step prepare(const FourierEmbedding& op, const CpuContext&) {
  const std::int64_t images = op.label.shape[0], k = op.frequencies.shape[0];
  ensure(op.y.shape == Shape{images, 2 * k}, "a Fourier embedding has two channels a frequency");
  return {.run = [op, images, k](const Memory& memory) {
    const float *label = memory.at<float>(op.label), *frequency = memory.at<float>(op.frequencies);
    float* y = memory.at<float>(op.y);
    for (std::int64_t n = 0; n < images; ++n) {
      for (std::int64_t j = 0; j < k; ++j) {
        const Wave at = level_wave(label[n], frequency[j]);
        y[n * 2 * k + j] = at.sine;
        y[n * 2 * k + k + j] = at.cosine;
      }
    }
  }};
}

Step prepare(const FourierFeatures& op, const CpuContext& context) {
  const std::int64_t c = op.x.shape[op.x.shape.rank() - 1], rows = op.x.shape.elements() / c,
                     width = c * (1 + 2 * op.count);
  ensure(op.y.shape.elements() == rows * width, "Fourier features have two channels a frequency beside each channel");
  return {.run = [=, threads = context.threads](const Memory& memory) {
    const float* x = memory.at<float>(op.x);
    float* y = memory.at<float>(op.y);
    for_each_chunk(threads, rows, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin * c; i < end * c; ++i) {
        float* out = y + i / c * width + i % c;
        out[0] = x[i];
        for (int e = 0; e < op.count; ++e) {
          const Wave at = feature_wave(x[i], op.first + e);
          out[(1 + 2 * e) * c] = at.sine;
          out[(2 + 2 * e) * c] = at.cosine;
        }
      }
    });
  }};
}

Step prepare(const FourierFeaturesGradient& op, const CpuContext& context) {
  const std::int64_t c = op.x.shape[op.x.shape.rank() - 1], rows = op.x.shape.elements() / c,
                     width = c * (1 + 2 * op.count);
  ensure(op.dy.shape.elements() == rows * width && op.dx.shape == op.x.shape, "Fourier features' gradient fits them");
  return {.run = [=, threads = context.threads](const Memory& memory) {
    const float *x = memory.at<float>(op.x), *dy = memory.at<float>(op.dy);
    float* dx = memory.at<float>(op.dx);
    for_each_chunk(threads, rows, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin * c; i < end * c; ++i) {
        const float* in = dy + i / c * width + i % c;
        double sum = 0;
        for (int e = 0; e < op.count; ++e)
          sum += feature_slope(x[i], op.first + e, in[(1 + 2 * e) * c], in[(2 + 2 * e) * c]);
        dx[i] = static_cast<float>(in[0] + 2 * std::numbers::pi * sum);
      }
    });
  }};
}

ConcatenatedRows concatenated_rows(const Concatenate& op) {
  const auto elements_from = [&](const Tensor& tensor) {
    std::int64_t product = 1;
    for (int i = op.axis; i < tensor.shape.rank(); ++i) product *= tensor.shape[i];
    return product;
  };
  const ConcatenatedRows at{op.y.shape.elements() / elements_from(op.y), elements_from(op.x0), elements_from(op.x1)};
  ensure(at.whole() == elements_from(op.y) && at.rows * at.part0 == op.x0.shape.elements() &&
             at.rows * at.part1 == op.x1.shape.elements(),
         "what is concatenated has the same extents beside the axis");
  return at;
}

Step prepare(const Concatenate& op, const CpuContext& context) {
  return {.run = [op, at = concatenated_rows(op), threads = context.threads](const Memory& memory) {
    const float *x0 = memory.at<float>(op.x0), *x1 = memory.at<float>(op.x1);
    float* y = memory.at<float>(op.y);
    parallel_for(threads, at.rows, [=](std::int64_t row) {
      std::copy_n(x0 + row * at.part0, at.part0, y + row * at.whole());
      std::copy_n(x1 + row * at.part1, at.part1, y + row * at.whole() + at.part0);
    });
  }};
}

}  // namespace kernels
