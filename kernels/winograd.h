// 3x3 convolutions by Winograd's F(4x4,3x3) on NHWC (Lavin and Gray 2016): a quarter of the multiplications. With
// operands in bf16 the result's error is some 1 % of it in the mean square where its pixels are independent, and half
// of that where they are alike; a direct convolution of the same operands has 0.2 %.
#pragma once

#include "kernels/conv_engine.h"
#include "kernels/scratch.h"
#include "kernels/vector_kernels.h"

namespace kernels::winograd {

/// Whether the engine computes the convolution: 3x3, both channel counts multiples of a vector's lanes, images of at
/// least 6x6 pixels (below, padding eats what is gained). A fixed rule, never a timing.
bool serves(const VectorKernels& kernels, const ConvSize& size);

/// The bits of none of them depend on `threads`.
Convolution convolution(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);
Convolution data_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);
WeightGradient weight_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);

}  // namespace kernels::winograd
