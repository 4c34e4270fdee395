#include "kernels/norm.h"

#include "kernels/divisor.h"
#include "kernels/gpu_launch.h"
#include "kernels/gpu_sums.h"
#include "kernels/norm_math.h"
#include "kernels/scratch.h"

namespace kernels::BACKEND {
namespace {

/// A block for each image, whose threads share its channels out.
__global__ void __launch_bounds__(block_threads) norm_coefficients(CoefficientsOfGroup of) {
  DYNAMIC_SHARED(float, moments);  // [c,2]
  const int image = static_cast<int>(blockIdx.x), c = static_cast<int>(of.c), size = c / static_cast<int>(of.groups);
  for (int i = static_cast<int>(threadIdx.x); i < c; i += block_threads) {
    const float* const from = of.moments(image, i);
    moments[2 * i] = from[0];
    moments[2 * i + 1] = from[1];
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < c; i += block_threads) {
    const int g = i / size;
    const GroupStatistics group = group_statistics(size, [&](std::int64_t j) { return moments + 2 * (g * size + j); });
    const double inverse = of.inverse_deviation(group);
    if (i == g * size) of.set_statistics(image, g, group, inverse);
    of.set_coefficients(image, i, group, inverse);
  }
}

/// The same way.
__global__ void __launch_bounds__(block_threads) fill_lines(NormSums of, float* lines) {
  DYNAMIC_SHARED(NormSums::Means, shares);  // [c]
  const int image = static_cast<int>(blockIdx.x), c = static_cast<int>(of.c), size = c / static_cast<int>(of.groups);
  for (int i = static_cast<int>(threadIdx.x); i < c; i += block_threads) shares[i] = of.share(image, i);
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < c; i += block_threads) {
    NormSums::Means means;
    for (int j = i / size * size; j < i / size * size + size; ++j) {
      means.gradient += shares[j].gradient;
      means.product += shares[j].product;
    }
    of.fill_line(image, i, means, lines);
  }
}

/// dgamma, dbeta, where they are asked for.
__global__ void __launch_bounds__(summing_threads)
    norm_parameter_gradients(NormSums of, Mode mode, float* dgamma, float* dbeta) {
  sum_over(
      static_cast<int>(of.n), static_cast<int>(of.c),
      [&](int image, int c) -> TwoSums {
        return {of.parameter_gradient(image, c, 0), of.parameter_gradient(image, c, 1)};
      },
      [&](int c, const TwoSums& sums) {
        const auto set = [&](float* gradient, double sum) {
          if (gradient) gradient[c] = static_cast<float>(sum + (mode == Mode::accumulate ? gradient[c] : 0));
        };
        set(dbeta, sums.first);
        set(dgamma, sums.second);
      });
}

__global__ void __launch_bounds__(block_threads)
    norm_modulation_gradient(NormSums of, const float* beta, float* dmodulation) {
  for (std::int64_t i = first_item(); i < of.n * of.c; i += item_stride()) of.modulation_gradient(i, beta, dmodulation);
}

/// One source of a norm over c channels: its own are `channels`, from `first` on.
struct Source {
  Divisor pixels;  // of an image
  int c, channels, first;
};

template <int width, typename T>
__global__ void __launch_bounds__(block_threads)
    norm_source_gradient(int packs, Divisor packs_of_pixel, Source source, Mode mode, const float* lines, const T* dz,
                         const T* x, T* dx) {
  for (std::int64_t p = first_item(); p < packs; p += item_stride()) {
    const int pixel = packs_of_pixel.quotient(static_cast<int>(p));
    const int channel = source.first + packs_of_pixel.remainder(static_cast<int>(p)) * width;
    const std::int64_t i = p * width;
    const float* const line = lines + static_cast<std::int64_t>(source.pixels.quotient(pixel)) * 4 * source.c + channel;
    const auto slope_p = load<width>(line), constant = load<width>(line + source.c),
               slope = load<width>(line + 2 * source.c), mean = load<width>(line + 3 * source.c);
    const auto from = load<width>(dz + static_cast<std::int64_t>(pixel) * source.c + channel), at = load<width>(x + i);
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
    launch<norm_coefficients>(static_cast<unsigned>(op.moments0.shape[0]), block_threads,
                              static_cast<std::size_t>(of_group.c) * 2 * sizeof(float), stream, of_group);
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
        launch<norm_parameter_gradients>(summing_blocks(of.c), summing_block, 0, stream, of, op.parameter_mode,
                                         memory.at<float>(op.dgamma), memory.at<float>(op.dbeta));
      if (op.dmodulation)
        launch<norm_modulation_gradient>(blocks_for(of.n * of.c), block_threads, 0, stream, of,
                                         memory.at<const float>(op.beta), memory.at<float>(op.dmodulation));
      if (!op.dx0 && !op.dx1) return;
      float* const line = lines.in(memory);
      launch<fill_lines>(static_cast<unsigned>(of.n), block_threads,
                         static_cast<std::size_t>(of.c) * sizeof(NormSums::Means), stream, of, line);
      const auto source = [&](const In& tensor, const InOut& gradient, Mode mode, std::int64_t first) {
        if (!gradient) return;
        const std::int64_t channels = tensor.shape[3];
        const T *dz = memory.at<T>(op.dz), *x = memory.at<T>(tensor);
        T* const dx = memory.at<T>(gradient);
        with_width({of.c, channels, first}, {line, dz, x, dx}, [&](auto width) {
          const std::int64_t packs = tensor.shape.elements() / width;
          launch<norm_source_gradient<width, T>>(blocks_for(packs), block_threads, 0, stream, counted(packs),
                                                 Divisor(static_cast<int>(channels) / width),
                                                 Source{static_cast<int>(of.pixels), static_cast<int>(of.c),
                                                        static_cast<int>(channels), static_cast<int>(first)},
                                                 mode, static_cast<const float*>(line), dz, x, dx);
        });
      };
      source(op.x0, op.dx0, op.mode0, 0);
      source(op.x1, op.dx1, op.mode1, op.x0.shape[3]);
    };
    return {run, scratch.bytes()};
  });
}

}  // namespace kernels::BACKEND
