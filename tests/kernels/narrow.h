// What a GPU that stores bf16 may differ by, for the tests of records on one, emulated or not.
#pragma once

#include "kernels/narrow_operands.h"

namespace kernels::test {

/// How far from the f32 result they may then be, as a share of the largest element. Tensor cores read both operands
/// rounded to 2^-9 of themselves; what is stored is rounded once more.
template <typename Op>
double narrow_tolerance(const Op&) {
  return 0;
}
template <typename Op>
requires std::is_same_v<Op, Conv> || std::is_same_v<Op, ConvDataGradient> || std::is_same_v<Op, ConvWeightGradient> ||
    std::is_same_v<Op, Attention> || std::is_same_v<Op, AttentionGradient>
double narrow_tolerance(const Op&) {
  return 0x1p-7;
}

}  // namespace kernels::test
