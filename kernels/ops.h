// The closed world of operations: the variant is the registry, and an operation without a `prepare` does not link.
#pragma once

#include <string>
#include <variant>

#include "kernels/attention.h"
#include "kernels/conv.h"
#include "kernels/label.h"
#include "kernels/linear.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/perturb.h"
#include "kernels/pointwise.h"
#include "kernels/resample.h"
#include "kernels/update.h"

namespace kernels {

using Op =
    std::variant<Dequantise, DrawTime, Perturb, DropLabels, TimeEmbedding, FourierEmbedding, FourierFeatures,
                 FourierFeaturesGradient, LabelEmbedding, LabelEmbeddingGradient, Linear, LinearDataGradient,
                 LinearWeightGradient, Silu, SiluGradient, AddScaled, Affine, ScaleImages, Concatenate, Resize,
                 ResizeGradient, Conv, ConvDataGradient, ConvWeightGradient, NormCoefficients, NormGradient, Attention,
                 AttentionGradient, NoiseLoss, NoiseLossGradient, AddTerms, SquareSums, AdamStep, Exchange>;

/// Calls f(operand) with each present operand of the record, as In&, Out& or InOut&.
template <typename F>
void for_each_operand(Op& op, F&& f) {
  const auto visit_one = [&](auto& operand) {
    if (operand) f(operand);
  };
  std::visit(
      [&](auto& record) { std::apply([&](auto&... operands) { (visit_one(operands), ...); }, record.operands()); }, op);
}

/// The record's type as text ("ConvDataGradient"), for messages and tables.
std::string name(const Op& op);

/// Floating-point operations of the record's matrix products, 2 per multiply-add; 0 for records that have none.
double flops(const Op& op);

}  // namespace kernels
