// Images made larger or smaller with no convolution behind it.
#pragma once

#include <tuple>

#include "kernels/conv.h"

namespace kernels {

/// y[n,h',w',c] = v of Resample's table for u = x[n,h,w,c]; up, down, fir_up or fir_down.
struct Resize {
  In x;
  Resample resample = Resample::none;
  Out y;
  auto operands() { return std::tie(x, y); }
};

/// dx = the same map transposed, of dy.
struct ResizeGradient {
  In dy;
  Resample resample = Resample::none;
  Out dx;
  auto operands() { return std::tie(dy, dx); }
};

Step prepare(const Resize&, const CpuContext&);
Step prepare(const ResizeGradient&, const CpuContext&);

}  // namespace kernels
