// 3x3 convolutions by Winograd's F(4x4,3x3) on NHWC (Lavin and Gray 2016): a quarter of the multiplications.
#pragma once

#include "kernels/conv_engine.h"
#include "kernels/scratch.h"
#include "kernels/vector_kernels.h"

namespace kernels::winograd {

/// Whether the engine computes the convolution: 3x3, both channel counts multiples of a vector's lanes, images of at
/// least 6x6 pixels (below, padding eats what is gained). A fixed rule, never a timing.
bool serves(const VectorKernels& kernels, const ConvSize& size);

/// y[n,h,w,k] from rows of x[n,h,w,c] and weight[k,3,3,c], or dx from rows of dy. The bits do not depend on `threads`.
struct Convolution {
  std::function<void(const RowSource& source, const float* weight, float* result, const Memory& memory)> run;
};
Convolution convolution(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);
Convolution data_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);

/// dweight[k,3,3,c] = scale * gradient (+ dweight where `accumulate`) from rows of x and dy[n,h,w,k]. The bits do not
/// depend on `threads`.
struct WeightGradient {
  std::function<void(const RowSource& source, const float* dy, float scale, bool accumulate, float* dweight,
                     const Memory& memory)>
      run;
};
WeightGradient weight_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);

}  // namespace kernels::winograd
