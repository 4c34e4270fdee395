// The extents of a convolution and what its operands must have, whoever computes it.
#pragma once

#include "kernels/conv.h"
#include "kernels/conv_engine.h"

namespace kernels {

/// Extents of images; of a convolution's concatenated source, or of what the prologue makes of it.
struct ImageSize {
  std::int64_t n, h, w, c;
  std::int64_t row_elements() const { return w * c; }
  std::int64_t elements() const { return n * h * row_elements(); }
};

/// The extents of v. Halving needs even extents.
ImageSize resampled(const ImageSize& size, Resample resample);

/// The extents of a convolution's source, of v, of its output and of the bare convolution.
struct ConvExtents {
  /// From its source or that one's gradient, weights or their gradient, and output or that one's gradient.
  ConvExtents(const Tensor& source, const Tensor& weight, const Tensor& output, Resample resample);
  ImageSize in, v, out;
  ConvSize size;
};

// Throw logic_error unless the operands have the shapes that conv.h gives them.
/// `size` is the concatenated source's; x0 and x1 may be absent where they are not read.
void check_prologue(const ImageSize& size, const In& x0, const In& x1, const Prologue& prologue);
/// `size` is the output's size.
void check_epilogue(const Conv& op, const ImageSize& size);
/// x, or its gradient, and what it is resized to.
void check_resize(const Tensor& x, const Tensor& y, Resample resample);
void check_bias_gradient(const ConvWeightGradient& op, const ImageSize& size);

}  // namespace kernels
