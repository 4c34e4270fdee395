// 1x1 convolutions as products of matrices [pixels,c] and [c,k], a row of an image at a time.
#pragma once

#include "kernels/conv_engine.h"
#include "kernels/scratch.h"
#include "kernels/vector_kernels.h"

namespace kernels::matrix_conv {

/// Whether the engine computes the convolution: 1x1, both channel counts multiples of a vector's lanes.
bool serves(const VectorKernels& kernels, const ConvSize& size);

/// y[n,h,w,k] from rows of x[n,h,w,c] and weight[k,c], or dx from rows of dy. The bits do not depend on `threads`.
struct Convolution {
  std::function<void(const RowSource& source, const float* weight, float* result, const Memory& memory)> run;
};
Convolution convolution(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);
Convolution data_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);

/// dweight[k,c] = scale * gradient (+ dweight where `accumulate`) from x and dy[n,h,w,k]. The bits do not depend on
/// `threads`.
struct WeightGradient {
  std::function<void(const float* x, const float* dy, float scale, bool accumulate, float* dweight,
                     const Memory& memory)>
      run;
};
WeightGradient weight_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);

}  // namespace kernels::matrix_conv
