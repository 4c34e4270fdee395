#include "kernels/loss.h"

#include "kernels/gpu_launch.h"
#include "kernels/reduce.h"

namespace kernels::BACKEND {
namespace {

/// One block an image.
template <int width, typename T>
__global__ void __launch_bounds__(block_threads)
    noise_loss(std::int64_t count, float sign, const T* output, const float* noise, const float* weight, float* loss) {
  const std::int64_t n = blockIdx.x, begin = n * count;
  double sum = 0;
  for (std::int64_t i = threadIdx.x * width; i < count; i += blockDim.x * width) {
    const auto y = load<width>(output + begin + i), z = load<width>(noise + begin + i);
#pragma unroll
    for (int j = 0; j < width; ++j) {
      const double residual = noise_residual(z.value[j], sign, y.value[j]);
      sum += residual * residual;
    }
  }
  sum = block_sum<block_threads>(sum);
  if (threadIdx.x == 0) loss[n] = static_cast<float>(weight[n] * sum / static_cast<double>(count));
}

template <int width, typename T, typename D>
__global__ void __launch_bounds__(block_threads)
    noise_loss_gradient(std::int64_t packs, std::int64_t count, float sign, const T* output, const float* noise,
                        const float* weight, const float* dloss, D* doutput) {
  for (std::int64_t p = first_item(); p < packs; p += item_stride()) {
    const std::int64_t n = p / (count / width);
    const float slope = noise_loss_slope(sign, weight[n], dloss[n], count);
    auto y = load<width>(output + p * width);
    const auto z = load<width>(noise + p * width);
#pragma unroll
    for (int j = 0; j < width; ++j) y.value[j] = slope * noise_residual(z.value[j], sign, y.value[j]);
    store(doutput + p * width, y);
  }
}

}  // namespace

template <>
Step prepare(const NoiseLoss& op, const GpuContext& context) {
  ensure(op.output.shape == op.noise.shape, "NoiseLoss compares equal shapes");
  const std::int64_t images = op.output.shape[0], count = op.output.shape.elements() / images;
  return with_type(op.output.element, [&]<typename T>(std::type_identity<T>) -> Step {
    return {.run = [=, stream = context.stream](const Memory& memory) {
      const T* const output = memory.at<T>(op.output);
      const float* const noise = memory.at<float>(op.noise);
      with_width({count}, {output, noise}, [&](auto width) {
        launch<noise_loss<width, T>>(static_cast<unsigned>(images), block_threads, 0, stream, count, op.sign, output,
                                     noise, memory.at<const float>(op.weight), memory.at<float>(op.loss));
      });
    }};
  });
}

template <>
Step prepare(const NoiseLossGradient& op, const GpuContext& context) {
  ensure(op.output.shape == op.noise.shape && op.output.shape == op.doutput.shape, "NoiseLossGradient keeps the shape");
  const std::int64_t images = op.output.shape[0], count = op.output.shape.elements() / images;
  return with_types(
      op.output, op.doutput, [&]<typename T, typename D>(std::type_identity<T>, std::type_identity<D>) -> Step {
        return {.run = [=, stream = context.stream](const Memory& memory) {
          const T* const output = memory.at<T>(op.output);
          const float* const noise = memory.at<float>(op.noise);
          D* const doutput = memory.at<D>(op.doutput);
          with_width({count}, {output, noise, doutput}, [&](auto width) {
            const std::int64_t packs = images * count / width;
            launch<noise_loss_gradient<width, T, D>>(blocks_for(packs), block_threads, 0, stream, packs, count, op.sign,
                                                     output, noise, memory.at<const float>(op.weight),
                                                     memory.at<const float>(op.dloss), doutput);
          });
        }};
      });
}

}  // namespace kernels::BACKEND
