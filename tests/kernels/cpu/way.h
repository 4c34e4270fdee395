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

/// How far from the f32 result what bf16 gives may be, as a share of the largest element: Winograd's transforms grow
/// what rounding does to the operands of products; all others are computed in float.
template <typename Op>
double narrow_tolerance(const Op&) {
  return 0;
}
template <typename Op>
requires std::is_same_v<Op, Conv> || std::is_same_v<Op, ConvDataGradient> || std::is_same_v<Op, ConvWeightGradient>
double narrow_tolerance(const Op&) {
  return 0x1p-5;
}

}  // namespace kernels::test
