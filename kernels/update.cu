#include "kernels/update.h"

#include "kernels/gpu_launch.h"

namespace kernels::BACKEND {
namespace {

struct Betas {
  double beta1, beta2, epsilon;
};

template <int width>
__global__ void __launch_bounds__(block_threads)
    adam_step(std::int64_t packs, Betas betas, const float* settings, const float* gradient, float* weights, float* m,
              float* v, float* ema) {
  const AdamUpdate update(settings, betas.beta1, betas.beta2, betas.epsilon);
  for (std::int64_t p = first_item(); p < packs; p += item_stride()) {
    const std::int64_t i = p * width;
    const auto g = load<width>(gradient + i);
    auto w = load<width>(weights + i), first = load<width>(m + i), second = load<width>(v + i),
         average = load<width>(ema + i);
#pragma unroll
    for (int j = 0; j < width; ++j) update(g.value[j], w.value[j], first.value[j], second.value[j], average.value[j]);
    store(weights + i, w);
    store(m + i, first);
    store(v + i, second);
    store(ema + i, average);
  }
}

}  // namespace

template <>
Step prepare(const AdamStep& op, const GpuContext& context) {
  for (const Tensor& tensor : {Tensor(op.gradient), Tensor(op.m), Tensor(op.v), Tensor(op.ema)})
    ensure(tensor.shape == op.weights.shape, "AdamStep works on vectors of one length");
  return {.run = [op, stream = context.stream](const Memory& memory) {
    const float* const gradient = memory.at<float>(op.gradient);
    float *const weights = memory.at<float>(op.weights), *const m = memory.at<float>(op.m),
                 *const v = memory.at<float>(op.v), *const ema = memory.at<float>(op.ema);
    const std::int64_t count = op.weights.shape.elements();
    with_width({count}, {gradient, weights, m, v, ema}, [&](auto width) {
      launch<adam_step<width>>(blocks_for(count / width), block_threads, 0, stream, count / width,
                               Betas{op.beta1, op.beta2, op.epsilon}, memory.at<const float>(op.settings), gradient,
                               weights, m, v, ema);
    });
  }};
}

template <>
Step prepare(const Exchange& op, const GpuContext& context) {
  return {.run = [op, exchange = context.exchange](const Memory& memory) {
    if (exchange) exchange(op.topic, {memory.at<float>(op.data), static_cast<std::size_t>(op.data.shape.elements())});
  }};
}

}  // namespace kernels::BACKEND
