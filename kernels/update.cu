#include "kernels/update.h"

#include "kernels/gpu_launch.h"

namespace kernels::BACKEND {
namespace {

struct Terms {
  const float* data[AddTerms::most];
};

template <int width>
__global__ void __launch_bounds__(block_threads) add_terms(std::int64_t packs, Terms terms, float* sum, float* copy) {
  for (std::int64_t p = first_item(); p < packs; p += item_stride()) {
    auto total = load<width>(sum + p * width);
    for (int k = 0; k < static_cast<int>(AddTerms::most) && terms.data[k]; ++k) {
      const auto term = load<width>(terms.data[k] + p * width);
#pragma unroll
      for (int j = 0; j < width; ++j) total.value[j] += term.value[j];
    }
    store(sum + p * width, total);
    if (copy) store(copy + p * width, total);
  }
}

/// One block of threads a part; eight neighbours are the lanes of a block of elements.
__global__ void __launch_bounds__(block_threads)
    square_sums(std::int64_t begin, std::int64_t end, std::int64_t total, const float* values, double* numbers) {
  constexpr int lanes = 8, blocks_at_once = block_threads / lanes;
  constexpr auto block = static_cast<int>(SquareBlocks::block);
  SHARED(double, sums, [SquareBlocks::chunk / SquareBlocks::block]);
  const SquarePart first = first_square_part(begin, end, total);
  const std::int64_t here =
      blockIdx.x == 0 ? begin : begin / SquareBlocks::chunk * SquareBlocks::chunk + blockIdx.x * SquareBlocks::chunk;
  const SquarePart part = first_square_part(here, end, total);
  double* const to = numbers + (blockIdx.x == 0 ? 0 : first.numbers() + blockIdx.x - 1);
  const int count = static_cast<int>((part.end - part.begin) / block), lane = static_cast<int>(threadIdx.x) % lanes;
  for (int i = 0; i < count; i += blocks_at_once) {
    const int at = i + static_cast<int>(threadIdx.x) / lanes;
    double sum = 0;
    if (at < count) {
      const float* const from = values + (part.begin - begin) + at * block + lane;
#pragma unroll
      for (int j = 0; j < block; j += lanes) sum += static_cast<double>(from[j]) * from[j];
    }
    for (int bits = 1; bits < lanes; bits *= 2) sum += __shfl_xor_sync(~0u, sum, bits);
    if (lane == 0 && at < count) (part.is_whole ? sums : to)[at] = sum;
  }
  if (!part.is_whole) return;
  __syncthreads();
  if (threadIdx.x != 0) return;
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += sums[i];
  to[0] = sum;
}

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
Step prepare(const AddTerms& op, const GpuContext& context) {
  check_terms(op);
  return {.run = [op, stream = context.stream](const Memory& memory) {
    Terms terms;
    for (std::size_t k = 0; k < AddTerms::most; ++k) terms.data[k] = memory.at<const float>(op.terms[k]);
    float *const sum = memory.at<float>(op.sum), *const copy = memory.at<float>(op.copy);
    const std::int64_t count = op.sum.shape.elements();
    with_width({count}, {sum}, [&](auto width) {
      launch<add_terms<width>>(blocks_for(count / width), block_threads, 0, stream, count / width, terms, sum, copy);
    });
  }};
}

template <>
Step prepare(const SquareSums& op, const GpuContext& context) {
  check_squares(op);
  const std::int64_t begin = op.begin, end = begin + op.values.shape.elements();
  const auto parts =
      static_cast<unsigned>((end + SquareBlocks::chunk - 1) / SquareBlocks::chunk - begin / SquareBlocks::chunk);
  return {.run = [op, begin, end, parts, stream = context.stream](const Memory& memory) {
    if (begin == end) return;
    launch<square_sums>(parts, block_threads, 0, stream, begin, end, op.total, memory.at<const float>(op.values),
                        memory.at<double>(op.numbers));
  }};
}

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
