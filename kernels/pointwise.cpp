#include "kernels/pointwise.h"

#include <cmath>

#include "kernels/math.h"
#include "kernels/parallel.h"

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
  return {.run = [op, from, to, rows, threads = context.threads](const Memory& memory) {
    const float* x = memory.at<float>(op.x) + op.first_channel;
    float* y = memory.at<float>(op.y);
    constexpr std::int64_t rows_per_block = 256;
    parallel_for(threads, (rows + rows_per_block - 1) / rows_per_block, [&](std::int64_t block) {
      for (std::int64_t row = block * rows_per_block; row < std::min((block + 1) * rows_per_block, rows); ++row) {
        const float* in = x + row * from;
        float* out = y + row * to;
        for (std::int64_t c = 0; c < to; ++c) {
          out[c] = op.mode == Mode::accumulate ? out[c] + op.scale * in[c] : op.scale * in[c];
        }
      }
    });
  }};
}

Step prepare(const TimeEmbedding& op, const CpuContext&) {
  const std::int64_t images = op.y.shape[0], half = op.y.shape[1] / 2;
  ensure(op.y.shape[1] == 2 * half && half >= 2, "a time embedding has an even number of at least four channels");
  return {.run = [op, images, half](const Memory& memory) {
    const float* label = memory.at<float>(op.label);
    float* y = memory.at<float>(op.y);
    const auto rate = static_cast<float>(-std::log(10000.0) / static_cast<double>(half - 1));
    for (std::int64_t n = 0; n < images; ++n) {
      for (std::int64_t k = 0; k < half; ++k) {
        const double angle = static_cast<double>(label[n] * std::exp(static_cast<float>(k) * rate));
        y[n * 2 * half + k] = static_cast<float>(std::sin(angle));
        y[n * 2 * half + half + k] = static_cast<float>(std::cos(angle));
      }
    }
  }};
}

}  // namespace kernels
