// Products of activations and weights by the library of a device; for kernels only.
#pragma once

#include "kernels/conv.h"
#include "kernels/gpu_context.h"
#include "kernels/gpu_launch.h"
#include "kernels/scratch.h"

namespace kernels::BACKEND {

/// Images and weights of 1x1 as the matrices that they are in memory.
inline std::int64_t columns_of(const Tensor& tensor) {
  return tensor.shape[tensor.shape.rank() - 1];
}
inline std::int64_t rows_of(const Tensor& tensor) {
  return tensor.shape.elements() / columns_of(tensor);
}

/// A product on the device's library with its workspace in the scratch; false where the library does not serve.
class PlannedProduct {
 public:
  PlannedProduct(const GpuContext& context, const BlasProduct& product, ScratchLayout& scratch)
      : plan_(context.blas ? context.blas(product) : BlasPlan()),
        workspace_(scratch.add<std::byte>(static_cast<std::int64_t>(plan_.workspace_bytes))) {}
  explicit operator bool() const { return bool(plan_.run); }
  void run(const Memory& memory, BlasArrays arrays) const {
    arrays.workspace = workspace_.in(memory);
    plan_.run(arrays);
  }

 private:
  BlasPlan plan_;
  Slot<std::byte> workspace_;
};

struct AsItIs {
  __device__ float operator()(float x) const { return x; }
};

/// Parameters, which are float, as a product with activations of some element type takes them: as they are, or
/// converted to the scratch.
class ConvertedParameters {
 public:
  ConvertedParameters(const Tensor& parameters, Element element, ScratchLayout& scratch)
      : parameters_(parameters),
        converts_(parameters && element == Element::bf16),
        converted_(scratch.add<Bf16>(converts_ ? parameters.shape.elements() : 0)) {}

  const void* in(void* stream, const Memory& memory) const {
    const auto* const from = memory.at<const float>(parameters_);
    if (!converts_) return from;
    map(stream, parameters_.shape.elements(), AsItIs(), converted_.in(memory), from);
    return converted_.in(memory);
  }

 private:
  Tensor parameters_;
  bool converts_;
  Slot<Bf16> converted_;
};

/// Weights of activations in bf16 are converted to it by every step, which moves 6 bytes a weight, and takes a launch.
/// That must be little beside the 2 bytes an activation that the product moves: a quarter at most.
inline bool worth_converting(const Tensor& x, const Tensor& weight, const Tensor& y) {
  return x.element == Element::f32 || 2 * (x.shape.elements() + y.shape.elements()) >= 4 * 6 * weight.shape.elements();
}

/// Part of a step; empty where the library does not serve.
using PartOfStep = std::function<void(const Memory&)>;

/// y = scale (x weight^T + bias + residual), the last two optional. The library does not scale a bias.
inline PartOfStep multiply_forward(const GpuContext& context, const Tensor& x, const Tensor& weight, const Tensor& bias,
                                   const Tensor& residual, float scale, const Tensor& y, ScratchLayout& scratch) {
  if (!context.blas || x.element != y.element || (residual && residual.element != y.element) || (bias && scale != 1) ||
      !worth_converting(x, weight, y))
    return {};
  const PlannedProduct product(context,
                               {.m = rows_of(x),
                                .n = columns_of(y),
                                .k = columns_of(x),
                                .b = Stored::transposed,
                                .operands = x.element,
                                .result = y.element,
                                .a_stride = columns_of(x),
                                .b_stride = columns_of(x),
                                .c_stride = columns_of(y),
                                .scale = scale,
                                .keep = residual ? scale : 0,
                                .has_bias = bool(bias)},
                               scratch);
  if (!product) return {};
  const ConvertedParameters weights(weight, x.element, scratch), biases(bias, y.element, scratch);
  return [=, stream = context.stream](const Memory& memory) {
    product.run(memory, {.a = memory.at<const void>(x),
                         .b = weights.in(stream, memory),
                         .before = memory.at<const void>(residual),
                         .bias = biases.in(stream, memory),
                         .c = memory.at<void>(y)});
  };
}

/// dx (+)= scale dy weight.
inline PartOfStep multiply_back(const GpuContext& context, const Tensor& dy, const Tensor& weight, float scale,
                                Mode mode, const Tensor& dx, ScratchLayout& scratch) {
  if (!context.blas || dy.element != dx.element || !worth_converting(dx, weight, dy)) return {};
  const PlannedProduct product(context,
                               {.m = rows_of(dy),
                                .n = columns_of(dx),
                                .k = columns_of(dy),
                                .operands = dy.element,
                                .result = dx.element,
                                .a_stride = columns_of(dy),
                                .b_stride = columns_of(dx),
                                .c_stride = columns_of(dx),
                                .scale = scale,
                                .keep = mode == Mode::accumulate ? 1.0f : 0.0f},
                               scratch);
  if (!product) return {};
  const ConvertedParameters weights(weight, dy.element, scratch);
  return [=, stream = context.stream](const Memory& memory) {
    void* const to = memory.at<void>(dx);
    product.run(memory, {.a = memory.at<const void>(dy), .b = weights.in(stream, memory), .before = to, .c = to});
  };
}

/// The columns of dweight from `first` on that are those of x (+)= scale dy^T x.
inline PartOfStep multiply_gradients(const GpuContext& context, const Tensor& dy, const Tensor& x, float scale,
                                     Mode mode, const Tensor& dweight, std::int64_t first, ScratchLayout& scratch) {
  const std::int64_t offset_bytes = first * static_cast<std::int64_t>(sizeof(float));
  if (!context.blas || dy.element != x.element || offset_bytes % 16 != 0) return {};
  const PlannedProduct product(context,
                               {.m = columns_of(dy),
                                .n = columns_of(x),
                                .k = rows_of(x),
                                .a = Stored::transposed,
                                .operands = x.element,
                                .result = dweight.element,
                                .a_stride = columns_of(dy),
                                .b_stride = columns_of(x),
                                .c_stride = columns_of(dweight),
                                .scale = scale,
                                .keep = mode == Mode::accumulate ? 1.0f : 0.0f},
                               scratch);
  if (!product) return {};
  return [=](const Memory& memory) {
    float* const to = memory.at<float>(dweight) + first;
    product.run(memory, {.a = memory.at<const void>(dy), .b = memory.at<const void>(x), .before = to, .c = to});
  };
}

}  // namespace kernels::BACKEND
