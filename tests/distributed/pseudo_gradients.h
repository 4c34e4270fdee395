// Gradients that betray any change of the order in which they are added, and their sum in the documented tree.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "distributed/parameters.h"

namespace distributed::testing {

inline std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// Element `index` of the gradient of a micro-batch: signs that cancel, exponents over 16 binary orders.
inline float pseudo_gradient(int micro_batch, std::int64_t index, int step = 0) {
  const std::uint64_t bits = mixed(mixed(index * 1000003 + 17) + micro_batch + step * 7919);
  const float mantissa = static_cast<float>(static_cast<std::int64_t>(bits >> 40) - (1 << 23));
  return std::ldexp(mantissa, static_cast<int>(bits % 16) - 31);
}

/// The gradient of a micro-batch as a backward pass leaves it: padding is zero.
inline void write_gradient(const Layout& layout, int micro_batch, std::span<float> flat, int step = 0) {
  for (const TensorPlace& tensor : layout.tensors) {
    for (std::int64_t i = tensor.offset; i < tensor.offset + tensor.count; ++i) {
      flat[i] = pseudo_gradient(micro_batch, i, step);
    }
  }
}

/// The fixed tree said otherwise: [begin, end) is split where the largest power of two below its length ends.
template <typename Leaf>
auto tree_sum_oracle(int begin, int end, Leaf leaf) -> decltype(leaf(0)) {
  if (end - begin == 1) return leaf(begin);
  const int middle = begin + static_cast<int>(std::bit_floor(static_cast<unsigned>(end - begin - 1)));
  return tree_sum_oracle(begin, middle, leaf) + tree_sum_oracle(middle, end, leaf);
}

inline std::vector<float> summed_in_tree(const Layout& layout, int micro_batches, int step = 0) {
  std::vector<float> sum(layout.total);
  for (const TensorPlace& tensor : layout.tensors) {
    for (std::int64_t i = tensor.offset; i < tensor.offset + tensor.count; ++i) {
      sum[i] = tree_sum_oracle(0, micro_batches, [&](int leaf) { return pseudo_gradient(leaf, i, step); });
    }
  }
  return sum;
}

inline std::vector<double> summed_exactly(const Layout& layout, int micro_batches) {
  std::vector<double> sum(layout.total);
  for (const TensorPlace& tensor : layout.tensors) {
    for (std::int64_t i = tensor.offset; i < tensor.offset + tensor.count; ++i) {
      for (int leaf = 0; leaf < micro_batches; ++leaf) sum[i] += pseudo_gradient(leaf, i);
    }
  }
  return sum;
}

/// Tensors of awkward sizes, `scale` elements in the largest; with scale 0 fewer elements than ranks.
inline Layout awkward_layout(std::int64_t scale) {
  const std::vector<NamedShape> tensors{
      {"scalar", {1}},  {"empty", {0, 3}},        {"kernel", {3, 3, scale / 9 + 1}}, {"bias", {scale / 64 + 3}},
      {"odd", {7, 11}}, {"last", {scale / 2 + 1}}};
  return scale == 0 ? make_layout(std::span(tensors).first(1)) : make_layout(tensors);
}

}  // namespace distributed::testing
