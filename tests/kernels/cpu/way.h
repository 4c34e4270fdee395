// How the tests of records run them in this program: on the CPU, with one thread and with two, each twice.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/narrow_operands.h"
#include "kernels/widened.h"

namespace kernels::test {

template <typename T>
using BlockAllocator = std::allocator<T>;

/// Whether a kernel that finds its input wrong leaves nothing for the process to go on with.
constexpr bool a_refusal_is_final = false;

/// Whether records with products run in the first two ways only.
constexpr bool products_take_long = false;

struct Way {
  int threads;
  std::string name() const { return std::to_string(threads) + " threads"; }
  template <typename Op>
  Step step_of(const Op& op) const {
    return prepare_stored(op, CpuContext{.threads = threads, .exchange = {}});
  }
  void finish() const {}
  /// Whether two runs promise the same bits although the record's may differ with the number of threads.
  bool like(const Way& other) const { return threads == other.threads; }
};

inline std::vector<Way> ways() {
  return {{1}, {1}, {2}, {2}};
}

/// How far from the f32 result what bf16 gives may be, as a share of the largest element. Products read both operands
/// rounded to 2^-9 of themselves, and what is stored is rounded once more; Winograd's transforms of 3x3 convolutions
/// grow that. All other records are computed in float.
template <typename Op>
double narrow_tolerance(const Op&) {
  return 0;
}
inline double narrow_tolerance_of_weights(const Tensor& weight) {
  return weight.shape[1] == 1 ? 0x1p-7 : 0x1p-5;
}
inline double narrow_tolerance(const Conv& op) {
  return narrow_tolerance_of_weights(op.weight);
}
inline double narrow_tolerance(const ConvDataGradient& op) {
  return narrow_tolerance_of_weights(op.weight);
}
inline double narrow_tolerance(const ConvWeightGradient& op) {
  return narrow_tolerance_of_weights(op.dweight);
}

}  // namespace kernels::test
