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

/// A 3x3 convolution that has enough channels for Winograd's transforms to be small beside its products.
bool can_save_products(const Tensor& weight) {
  return weight.shape[1] == 3 && weight.shape[0] >= 16 && weight.shape[3] >= 16;
}

bool saves_products(const Conv& op) {
  return can_save_products(op.weight);
}
bool saves_products(const ConvDataGradient& op) {
  return can_save_products(op.weight);
}
bool saves_products(const ConvWeightGradient& op) {
  return can_save_products(op.dweight);
}
template <typename Other>
bool saves_products(const Other&) {
  return false;
}

}  // namespace

MachineSpeed measure_machine(int threads) {
  constexpr std::int64_t rows = 84, depth = 64, repeats = 200, copied = std::int64_t{1} << 20;
  const VectorKernels& kernels = vector_kernels();
  const std::int64_t columns = 2 * kernels.lanes, each = rows * depth + depth * columns + rows * columns;
  std::vector<float> products(static_cast<std::size_t>(threads * each)),
      copies(static_cast<std::size_t>(threads * 2 * copied));
  const double multiply = fastest(threads, [&](std::int64_t thread) {
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
  const double copy = fastest(threads, [&](std::int64_t thread) {
    float* const from = copies.data() + thread * 2 * copied;
    std::copy_n(from, copied, from + copied);
  });
  return {.flops_per_second = static_cast<double>(threads * repeats * 2 * rows * depth * columns) / multiply,
          .bytes_per_second = static_cast<double>(threads * 2 * copied) * sizeof(float) / copy};
}

double operand_bytes(const Op& op) {
  double bytes = 0;
  Op copy = op;
  for_each_operand(copy, [&](const Tensor& operand) { bytes += static_cast<double>(operand.size_bytes()); });
  return bytes;
}

double floor_seconds(const Op& op, const MachineSpeed& speed) {
  const bool saves = std::visit([](const auto& record) { return saves_products(record); }, op);
  const double part = saves ? speed.conv_share : 1;
  return std::max(part * flops(op) / speed.flops_per_second, operand_bytes(op) / speed.bytes_per_second);
}

}  // namespace kernels
