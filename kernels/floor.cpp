#include "kernels/floor.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

#include "kernels/parallel.h"
#include "kernels/vector_kernels.h"

namespace kernels {
namespace {

/// Seconds of the fastest of some calls of f(thread) on all threads at once.
template <typename F>
double fastest(int threads, const F& f) {
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < 20; ++run) {
    const auto start = std::chrono::steady_clock::now();
    parallel_for(threads, threads, f);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// The share of a convolution's products that is needed: of 3x3 ones four ninths where the image is doubled, and as the
/// machine's Winograd saves where there are enough channels for its transforms to be small beside them.
double needed_share(const Tensor& weight, const Prologue& prologue, const MachineSpeed& speed) {
  if (weight.shape[1] != 3) return 1;
  const bool many = weight.shape[0] >= 16 && weight.shape[3] >= 16;
  return std::min(many ? speed.conv_share : 1, prologue.resample == Resample::up ? 4.0 / 9 : 1);
}

double needed_share(const Conv& op, const MachineSpeed& speed) {
  return needed_share(op.weight, op.prologue, speed);
}
double needed_share(const ConvDataGradient& op, const MachineSpeed& speed) {
  return needed_share(op.weight, op.prologue, speed);
}
double needed_share(const ConvWeightGradient& op, const MachineSpeed& speed) {
  return needed_share(op.dweight, op.prologue, speed);
}
template <typename Other>
double needed_share(const Other&, const MachineSpeed&) {
  return 1;
}

double products_per_second(const auto& op, const MachineSpeed& speed) {
  if constexpr (requires { multiplies_bf16(op); })
    if (multiplies_bf16(op)) return speed.bf16_flops_per_second;
  return speed.flops_per_second;
}

/// Of products in the first-level cache.
double measure_products(int threads, const VectorKernels& kernels) {
  constexpr std::int64_t rows = 84, depth = 64, repeats = 200;
  const std::int64_t columns = 2 * kernels.lanes, each = rows * depth + depth * columns + rows * columns;
  std::vector<float> products(static_cast<std::size_t>(threads * each));
  const double seconds = fastest(threads, [&](std::int64_t thread) {
    float *const a = products.data() + thread * each, *const b = a + rows * depth, *const c = b + depth * columns;
    for (std::int64_t i = 0; i < repeats; ++i)
      kernels.multiply[static_cast<int>(Adjacent::depth)]({.a = a,
                                                           .a_stride = depth,
                                                           .b = b,
                                                           .b_stride = columns,
                                                           .c = c,
                                                           .c_stride = columns,
                                                           .depth = depth,
                                                           .accumulate = false},
                                                          rows, 2);
  });
  return static_cast<double>(threads * repeats * 2 * rows * depth * kernels.values * columns) / seconds;
}

}  // namespace

MachineSpeed measure_machine(int threads) {
  constexpr std::int64_t copied = std::int64_t{1} << 20;
  std::vector<float> copies(static_cast<std::size_t>(threads * 2 * copied));
  const double copy = fastest(threads, [&](std::int64_t thread) {
    float* const from = copies.data() + thread * 2 * copied;
    std::copy_n(from, copied, from + copied);
  });
  const double products = measure_products(threads, vector_kernels());
  return {.flops_per_second = products,
          .bytes_per_second = static_cast<double>(threads * 2 * copied) * sizeof(float) / copy,
          .bf16_flops_per_second = std::max(products, measure_products(threads, bf16_vector_kernels()))};
}

double operand_bytes(const Op& op) {
  double bytes = 0;
  Op copy = op;
  for_each_operand(copy, [&](const Tensor& operand) { bytes += static_cast<double>(operand.size_bytes()); });
  return bytes;
}

double floor_seconds(const Op& op, const MachineSpeed& speed) {
  const double share = std::visit([&](const auto& record) { return needed_share(record, speed); }, op);
  const double rate = std::visit([&](const auto& record) { return products_per_second(record, speed); }, op);
  return std::max(share * flops(op) / rate, operand_bytes(op) / speed.bytes_per_second);
}

}  // namespace kernels
