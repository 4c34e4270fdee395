// A bare convolution as its engines see it, and how they are given its source: whole, or row by row as it is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "kernels/tensor.h"

namespace kernels {

/// A convolution of x[n,h,w,c] with weight[k,r,r,c] to y[n,h',w',k], r = 1 or 3. `before` and `after` are the rows and
/// columns of zeros around x.
struct ConvSize {
  std::int64_t n, h, w, c, k, r;
  std::int64_t stride = 1, before = r / 2, after = r / 2;
  /// h' or w'.
  std::int64_t output(std::int64_t extent) const { return (extent + before + after - r) / stride + 1; }
  bool keeps_extents() const { return stride == 1 && before + after == r - 1; }
};

/// Gives one row [w,channels] of one image of an engine's source: where it lies, or written to `buffer`, which has room
/// for it. Called from several threads at once.
using RowSource = std::function<const float*(std::int64_t image, std::int64_t row, float* buffer)>;

/// Called once for each of the RowBlocks of each image of an engine's result as soon as it is complete and while it is
/// still in the cache, from several threads at once; empty: nobody waits for it.
using BlockDone = std::function<void(std::int64_t image, std::int64_t block)>;

/// A prepared convolution: y[n,h,w,k] from rows of x[n,h,w,c] and weight[k,r,r,c], or dx from rows of dy.
struct Convolution {
  std::function<void(const RowSource& source, const float* weight, float* result, const BlockDone& done,
                     const Memory& memory)>
      run;
};

/// A prepared weight gradient: dweight[k,r,r,c] = scale * gradient (+ dweight where `accumulate`) from rows of
/// x[n,h,w,c] and from dy[n,h,w,k].
struct WeightGradient {
  std::function<void(const RowSource& source, const float* dy, float scale, bool accumulate, float* dweight,
                     const Memory& memory)>
      run;
};

}  // namespace kernels
