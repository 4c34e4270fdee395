#include "kernels/update.h"

#include <cmath>

#include "kernels/parallel.h"

namespace kernels {

Step prepare(const AdamStep& op, const CpuContext& context) {
  for (const Tensor& tensor : {Tensor(op.gradient), Tensor(op.m), Tensor(op.v), Tensor(op.ema)}) {
    ensure(tensor.shape == op.weights.shape, "AdamStep works on vectors of one length");
  }
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const float* settings = memory.at<float>(op.settings);
    const auto setting = [&](AdamSetting which) { return settings[static_cast<std::size_t>(which)]; };
    const float scale = setting(AdamSetting::gradient_scale), share = setting(AdamSetting::ema_share);
    const float rate = setting(AdamSetting::learning_rate) / setting(AdamSetting::first_correction);
    const float root = 1 / std::sqrt(setting(AdamSetting::second_correction));
    const auto beta1 = static_cast<float>(op.beta1), rest1 = static_cast<float>(1 - op.beta1);
    const auto beta2 = static_cast<float>(op.beta2), rest2 = static_cast<float>(1 - op.beta2);
    const auto epsilon = static_cast<float>(op.epsilon);
    const float* gradient = memory.at<float>(op.gradient);
    float *weights = memory.at<float>(op.weights), *m = memory.at<float>(op.m), *v = memory.at<float>(op.v),
          *ema = memory.at<float>(op.ema);
    for_each_chunk(threads, op.weights.shape.elements(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const float g = scale * gradient[i];
        m[i] = beta1 * m[i] + rest1 * g;
        v[i] = beta2 * v[i] + rest2 * g * g;
        weights[i] -= rate * m[i] / (std::sqrt(v[i]) * root + epsilon);
        ema[i] += share * (weights[i] - ema[i]);
      }
    });
  }};
}

Step prepare(const Exchange& op, const CpuContext& context) {
  return {.run = [op, exchange = context.exchange](const Memory& memory) {
    if (exchange) exchange(op.topic, {memory.at<float>(op.data), static_cast<std::size_t>(op.data.shape.elements())});
  }};
}

}  // namespace kernels
