#include "kernels/loss.h"

#include "kernels/parallel.h"

namespace kernels {

Step prepare(const NoiseLoss& op, const CpuContext& context) {
  ensure(op.output.shape == op.noise.shape, "NoiseLoss compares equal shapes");
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const float *output = memory.at<float>(op.output), *noise = memory.at<float>(op.noise),
                *weight = memory.at<float>(op.weight);
    float* loss = memory.at<float>(op.loss);
    const std::int64_t images = op.output.shape[0], count = op.output.shape.elements() / images;
    parallel_for(threads, images, [&](std::int64_t n) {
      double sum = 0;
      for (std::int64_t i = n * count; i < (n + 1) * count; ++i) {
        const double residual = noise_residual(noise[i], op.sign, output[i]);
        sum += residual * residual;
      }
      loss[n] = static_cast<float>(weight[n] * sum / static_cast<double>(count));
    });
  }};
}

Step prepare(const NoiseLossGradient& op, const CpuContext& context) {
  ensure(op.output.shape == op.noise.shape && op.output.shape == op.doutput.shape, "NoiseLossGradient keeps the shape");
  return {.run = [op, threads = context.threads](const Memory& memory) {
    const float *output = memory.at<float>(op.output), *noise = memory.at<float>(op.noise);
    const float *weight = memory.at<float>(op.weight), *dloss = memory.at<float>(op.dloss);
    float* doutput = memory.at<float>(op.doutput);
    const std::int64_t images = op.output.shape[0], count = op.output.shape.elements() / images;
    parallel_for(threads, images, [&](std::int64_t n) {
      const float slope = noise_loss_slope(op.sign, weight[n], dloss[n], count);
      for (std::int64_t i = n * count; i < (n + 1) * count; ++i)
        doutput[i] = slope * noise_residual(noise[i], op.sign, output[i]);
    });
  }};
}

}  // namespace kernels
