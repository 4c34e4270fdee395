#include "kernels/update.h"

#include "kernels/parallel.h"

namespace kernels {
namespace {

double block_sum(const float* block) {
  constexpr int lanes = 8;
  std::array<double, lanes> sums{};
  for (std::int64_t i = 0; i < SquareBlocks::block; i += lanes) {
    for (int lane = 0; lane < lanes; ++lane) sums[lane] += static_cast<double>(block[i + lane]) * block[i + lane];
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

void sum_part(const float* values, const SquarePart& part, double* numbers) {
  double sum = 0;
  for (std::int64_t i = 0; i < part.end - part.begin; i += SquareBlocks::block) {
    const double block = block_sum(values + i);
    sum += block;
    if (!part.is_whole) numbers[i / SquareBlocks::block] = block;
  }
  if (part.is_whole) numbers[0] = sum;
}

}  // namespace

std::int64_t square_numbers(std::int64_t begin, std::int64_t end, std::int64_t total) {
  std::int64_t numbers = 0;
  while (begin < end) {
    const SquarePart part = first_square_part(begin, end, total);
    numbers += part.numbers();
    begin = part.end;
  }
  return numbers;
}

void check_squares(const SquareSums& op) {
  const std::int64_t count = op.values.shape.elements(), end = op.begin + count;
  ensure(op.numbers.element == Element::f64 && op.numbers.shape == Shape{square_numbers(op.begin, end, op.total)} &&
             end <= op.total,
         "sums of squares have a number for each part of a vector");
  for (const std::int64_t at : {op.begin, end, op.total})
    ensure(at % SquareBlocks::block == 0, "sums of squares are of whole blocks");
}

void check_terms(const AddTerms& op) {
  for (const In& term : op.terms)
    ensure(!term || term.shape == op.sum.shape, "AddTerms works on vectors of one length");
  ensure(!op.copy || op.copy.shape == op.sum.shape, "AddTerms works on vectors of one length");
}

Step prepare(const AddTerms& op, const CpuContext& context) {
  check_terms(op);
  return {.run = [op, threads = context.threads](const Memory& memory) {
    std::array<const float*, AddTerms::most> terms;
    std::ranges::transform(op.terms, terms.begin(), [&](const In& term) { return memory.at<const float>(term); });
    float *const sum = memory.at<float>(op.sum), *const copy = memory.at<float>(op.copy);
    for_each_chunk(threads, op.sum.shape.elements(), [&](std::int64_t begin, std::int64_t end) {
      for (const float* const term : terms)
        for (std::int64_t i = begin; term && i < end; ++i) sum[i] += term[i];
      if (copy) std::copy(sum + begin, sum + end, copy + begin);
    });
  }};
}

Step prepare(const SquareSums& op, const CpuContext& context) {
  check_squares(op);
  std::vector<SquarePart> parts;
  std::vector<std::int64_t> offsets{0};
  for (std::int64_t at = op.begin, end = at + op.values.shape.elements(); at < end; at = parts.back().end) {
    parts.push_back(first_square_part(at, end, op.total));
    offsets.push_back(offsets.back() + parts.back().numbers());
  }
  return {.run = [op, parts, offsets, threads = context.threads](const Memory& memory) {
    const float* const values = memory.at<const float>(op.values);
    double* const numbers = memory.at<double>(op.numbers);
    parallel_for(threads, std::ssize(parts), [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i);
      sum_part(values + (parts[at].begin - op.begin), parts[at], numbers + offsets[at]);
    });
  }};
}

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
