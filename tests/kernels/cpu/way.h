// How the tests of records run them in this program: on the CPU, with one thread and with two, each twice.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/cpu_context.h"
#include "kernels/tensor.h"

namespace kernels::test {

template <typename T>
using BlockAllocator = std::allocator<T>;

struct Way {
  int threads;
  std::string name() const { return std::to_string(threads) + " threads"; }
  template <typename Op>
  Step step_of(const Op& op) const {
    return prepare(op, CpuContext{.threads = threads, .exchange = {}});
  }
  void finish() const {}
  /// Whether two runs promise the same bits although the record's may differ with the number of threads.
  bool like(const Way& other) const { return threads == other.threads; }
};

inline std::vector<Way> ways() {
  return {{1}, {1}, {2}, {2}};
}

/// The operands that may be stored as bf16 as well: on the CPU none.
template <typename Op>
std::tuple<> narrow_operands(Op&) {
  return {};
}

/// How far from the f32 result they may then be, as a share of the largest element.
template <typename Op>
double narrow_tolerance(const Op&) {
  return 0;
}

}  // namespace kernels::test
