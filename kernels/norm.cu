#include "kernels/norm.h"

#include "kernels/gpu_launch.h"
#include "kernels/norm_math.h"
#include "kernels/scratch.h"

namespace kernels::BACKEND {
namespace {

/// A thread for each group of each image.
__global__ void __launch_bounds__(block_threads) norm_coefficients(std::int64_t items, CoefficientsOfGroup of_group) {
  for (std::int64_t i = first_item(); i < items; i += item_stride()) of_group(i / of_group.groups, i % of_group.groups);
}

__global__ void __launch_bounds__(block_threads) fill_lines(std::int64_t items, NormSums of, float* lines) {
  for (std::int64_t i = first_item(); i < items; i += item_stride()) of.fill_lines(i / of.groups, i % of.groups, lines);
}

/// A thread for each channel: dgamma, dbeta, where they are asked for.
__global__ void __launch_bounds__(block_threads)
    norm_parameter_gradients(NormSums of, Mode mode, float* dgamma, float* dbeta) {
  for (std::int64_t c = first_item(); c < of.c; c += item_stride()) {
    if (dgamma) dgamma[c] = of.parameter_gradient(c, 1, mode == Mode::accumulate ? dgamma[c] : 0);
    if (dbeta) dbeta[c] = of.parameter_gradient(c, 0, mode == Mode::accumulate ? dbeta[c] : 0);
  }
}

__global__ void __launch_bounds__(block_threads)
    norm_modulation_gradient(NormSums of, const float* beta, float* dmodulation) {
  for (std::int64_t i = first_item(); i < of.n * of.c; i += item_stride()) of.modulation_gradient(i, beta, dmodulation);
}

/// One source of a norm over c channels: its own are `channels`, from `first` on.
struct Source {
  std::int64_t pixels, c, channels, first;
};

template <int width, typename T>
__global__ void __launch_bounds__(block_threads)
    norm_source_gradient(std::int64_t packs, Source source, Mode mode, const float* lines, const T* dz, const T* x,
                         T* dx) {
  for (std::int64_t p = first_item(); p < packs; p += item_stride()) {
    const std::int64_t i = p * width, pixel = i / source.channels, channel = source.first + i % source.channels;
    const float* const line = lines + pixel / source.pixels * 4 * source.c + channel;
    const auto slope_p = load<width>(line), constant = load<width>(line + source.c),
               slope = load<width>(line + 2 * source.c), mean = load<width>(line + 3 * source.c);
    const auto from = load<width>(dz + pixel * source.c + channel), at = load<width>(x + i);
    Pack<width> to = mode == Mode::accumulate ? load<width>(dx + i) : Pack<width>{};
#pragma unroll
    for (int j = 0; j < width; ++j)
      to.value[j] +=
          norm_gradient(slope_p.value[j], constant.value[j], slope.value[j], mean.value[j], from.value[j], at.value[j]);
    store(dx + i, to);
  }
}

}  // namespace

template <>
Step prepare(const NormCoefficients& op, const GpuContext& context) {
  ensure_shapes(op);
  return {[op, stream = context.stream](const Memory& memory) {
    const CoefficientsOfGroup of_group = coefficients_of(op, memory);
    const std::int64_t items = op.moments0.shape[0] * of_group.groups;
    launch<norm_coefficients>(blocks_for(items), block_threads, 0, stream, items, of_group);
  }};
}

template <>
Step prepare(const NormGradient& op, const GpuContext& context) {
  ensure_shapes(op);
  for (const Tensor& tensor : {Tensor(op.x0), Tensor(op.x1), Tensor(op.dx0), Tensor(op.dx1)})
    ensure(!tensor || tensor.element == op.dz.element, "a norm's sources and their gradients are stored alike");
  ScratchLayout scratch;
  const auto lines = scratch.add<float>(op.dz.shape[0] * 4 * op.dz.shape[3]);
  return with_type(op.dz.element, [&]<typename T>(std::type_identity<T>) -> Step {
    const auto run = [op, lines, stream = context.stream](const Memory& memory) {
      const NormSums of = sums_of(op, memory);
      if (op.dgamma || op.dbeta)
        launch<norm_parameter_gradients>(blocks_for(of.c), block_threads, 0, stream, of, op.parameter_mode,
                                         memory.at<float>(op.dgamma), memory.at<float>(op.dbeta));
      if (op.dmodulation)
        launch<norm_modulation_gradient>(blocks_for(of.n * of.c), block_threads, 0, stream, of,
                                         memory.at<const float>(op.beta), memory.at<float>(op.dmodulation));
      if (!op.dx0 && !op.dx1) return;
      float* const line = lines.in(memory);
      launch<fill_lines>(blocks_for(of.n * of.groups), block_threads, 0, stream, of.n * of.groups, of, line);
      const auto source = [&](const In& tensor, const InOut& gradient, Mode mode, std::int64_t first) {
        if (!gradient) return;
        const std::int64_t channels = tensor.shape[3];
        const T *dz = memory.at<T>(op.dz), *x = memory.at<T>(tensor);
        T* const dx = memory.at<T>(gradient);
        with_width({of.c, channels, first}, {line, dz, x, dx}, [&](auto width) {
          const std::int64_t packs = tensor.shape.elements() / width;
          launch<norm_source_gradient<width, T>>(blocks_for(packs), block_threads, 0, stream, packs,
                                                 Source{of.pixels, of.c, channels, first}, mode,
                                                 static_cast<const float*>(line), dz, x, dx);
        });
      };
      source(op.x0, op.dx0, op.mode0, 0);
      source(op.x1, op.dx1, op.mode1, op.x0.shape[3]);
    };
    return {run, scratch.bytes()};
  });
}

}  // namespace kernels::BACKEND
