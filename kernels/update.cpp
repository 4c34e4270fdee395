#include "kernels/update.h"

#include "kernels/parallel.h"

namespace kernels {

Step prepare(const AdamStep& op, const CpuContext& context) {
  for (const Tensor& tensor : {Tensor(op.gradient), Tensor(op.m), Tensor(op.v), Tensor(op.ema)}) {
    ensure(tensor.shape == op.weights.shape, "AdamStep works on vectors of one length");
  }
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const AdamUpdate update(memory.at<float>(op.settings), op.beta1, op.beta2, op.epsilon);
    const float* gradient = memory.at<float>(op.gradient);
    float *weights = memory.at<float>(op.weights), *m = memory.at<float>(op.m), *v = memory.at<float>(op.v),
          *ema = memory.at<float>(op.ema);
    for_each_chunk(threads, op.weights.shape.elements(), [&](std::int64_t begin, std::int64_t end) {
      const AdamUpdate step = update;  // its own, which no store below can change
      for (std::int64_t i = begin; i < end; ++i) step(gradient[i], weights[i], m[i], v[i], ema[i]);
    });
  }};
}

Step prepare(const Exchange& op, const CpuContext& context) {
  return {.run = [op, exchange = context.exchange](const Memory& memory) {
    if (exchange) exchange(op.topic, {memory.at<float>(op.data), static_cast<std::size_t>(op.data.shape.elements())});
  }};
}

}  // namespace kernels
