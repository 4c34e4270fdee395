// A bare convolution as its engines see it, and how they are given its source: whole, or row by row as it is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace kernels {

/// A convolution of x[n,h,w,c] with weight[k,r,r,c] to y[n,h,w,k]: stride 1, zero padding (r - 1)/2, r = 1 or 3.
struct ConvSize {
  std::int64_t n, h, w, c, k, r;
};

/// Writes one row [w,channels] of one image of an engine's source. Called from several threads at once.
using RowSource = std::function<void(std::int64_t image, std::int64_t row, float* values)>;

}  // namespace kernels
