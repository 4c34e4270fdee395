// What each lane holds of the small matrices of a tensor core instruction (mma.sync.m16n8k16, bfloat16), g = lane / 4,
// t = lane % 4; a word holds two neighbours in k, the lower one in its low half.
#pragma once

#include "kernels/portable.h"

namespace kernels::BACKEND {

/// a[16,16]: word i holds row g + 8 (i % 2), k = 2t + 8 (i / 2) and the next one.
struct FragmentA {
  unsigned word[4];
};
/// b[8,16], a row for each column of the product: word i holds row g, k = 2t + 8i and the next one.
struct FragmentB {
  unsigned word[2];
};
/// c[16,8] in float: value i is row g + 8 (i / 2), column 2t + i % 2.
struct FragmentC {
  float value[4];
};

/// Whether an asynchronous copy reads its source or writes zeros.
enum class Valid : bool { no, yes };

}  // namespace kernels::BACKEND
