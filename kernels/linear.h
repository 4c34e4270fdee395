// Matrix products of rows with a weight matrix.
#pragma once

#include <tuple>

#include "kernels/conv.h"

namespace kernels {

/// y[m,k] = x[m,c] weight[k,c]^T + bias[k] (optional).
struct Linear {
  In x, weight, bias;
  Out y;
  auto operands() { return std::tie(x, weight, bias, y); }
};

/// dx[m,c] (+)= dy[m,k] weight[k,c].
struct LinearDataGradient {
  In dy, weight;
  InOut dx;
  Mode mode = Mode::overwrite;
  auto operands() { return std::tie(dy, weight, dx); }
};

/// dweight[k,c] (+)= dy^T x;  dbias[k] (+)= column sums of dy (optional).
struct LinearWeightGradient {
  In dy, x;
  InOut dweight, dbias;
  Mode mode = Mode::overwrite;
  auto operands() { return std::tie(dy, x, dweight, dbias); }
};

/// Throws logic_error unless these are x[m,c], weight[k,c], y[m,k], or their gradients.
inline void check_linear(const Tensor& x, const Tensor& weight, const Tensor& y) {
  ensure(weight.shape == Shape{y.shape[1], x.shape[1]} && y.shape == Shape{x.shape[0], y.shape[1]},
         "Linear takes x[m,c], weight[k,c], y[m,k]");
}

Step prepare(const Linear&, const CpuContext&);
Step prepare(const LinearDataGradient&, const CpuContext&);
Step prepare(const LinearWeightGradient&, const CpuContext&);

}  // namespace kernels
