// 1x1 convolutions as products of matrices [pixels,c] and [c,k], a row of an image at a time.
#pragma once

#include "kernels/conv_engine.h"
#include "kernels/scratch.h"
#include "kernels/vector_kernels.h"

namespace kernels::matrix_conv {

/// Whether the engine computes the convolution: 1x1, both channel counts multiples of a vector's lanes.
bool serves(const VectorKernels& kernels, const ConvSize& size);

/// The bits of none of them depend on `threads`. The weight gradient wants its source in one piece: the rows that it is
/// given must lie one after the other.
Convolution convolution(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);
Convolution data_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);
WeightGradient weight_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch);

}  // namespace kernels::matrix_conv
