// Convolutions that are bare products of pixels and weights, by the library of a device; for kernels only.
#pragma once

#include "kernels/gpu_conv.h"
#include "kernels/gpu_library.h"

namespace kernels::BACKEND {

/// Whether a convolution multiplies its source as it lies in memory.
inline bool is_product(const ConvExtents& extents, const Prologue& prologue) {
  return extents.size.r == 1 && is_source(prologue);
}

// Each without `run` where the library does not serve.

inline Step convolve_by_library(const Conv& op, const ConvExtents& extents, const GpuContext& context) {
  if (!is_product(extents, op.prologue) || op.x1 || op.embedding || op.moments) return {};
  ScratchLayout scratch;
  PartOfStep run = multiply_forward(context, op.x0, op.weight, op.bias, op.residual, op.scale, op.y, scratch);
  return {run, scratch.bytes()};
}

inline Step convolve_gradient_by_library(const ConvDataGradient& op, const ConvExtents& extents,
                                         const GpuContext& context) {
  if (!is_product(extents, op.prologue)) return {};
  ScratchLayout scratch;
  PartOfStep run = multiply_back(context, op.dy, op.weight, op.scale, Mode::overwrite, op.dz, scratch);
  return {run, scratch.bytes()};
}

inline Step convolve_weight_gradient_by_library(const ConvWeightGradient& op, const ConvExtents& extents,
                                                const GpuContext& context) {
  if (!is_product(extents, op.prologue)) return {};
  ScratchLayout scratch;
  const auto of_source = [&](const Tensor& x, std::int64_t first) {
    return multiply_gradients(context, op.dy, x, op.scale, op.mode, op.dweight, first, scratch);
  };
  const PartOfStep first = of_source(op.x0, 0), second = op.x1 ? of_source(op.x1, channels_of(op.x0)) : PartOfStep();
  if (!first || (op.x1 && !second)) return {};
  const ColumnSums column_sums(pixel_rows(extents.out, ColumnSums::block_rows), static_cast<int>(extents.out.c),
                               scratch);
  return {[=, stream = context.stream](const Memory& memory) {
            first(memory);
            if (second) second(memory);
            column_sums.run(stream, memory, const_array(op.dy, memory), op.scale, op.mode,
                            memory.at<float>(op.dembedding), memory.at<float>(op.dbias));
          },
          scratch.bytes()};
}

}  // namespace kernels::BACKEND
