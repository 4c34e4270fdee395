// What a GPU may store as bf16, for the tests of records on one, emulated or not.
#pragma once

#include <tuple>
#include <type_traits>

#include "kernels/attention.h"
#include "kernels/conv.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/perturb.h"
#include "kernels/pointwise.h"
#include "kernels/resample.h"

namespace kernels::test {

/// The operands that may be stored as bf16 as well.
template <typename Op>
std::tuple<> narrow_operands(Op&) {
  return {};
}
inline auto narrow_operands(Silu& op) {
  return std::tie(op.x, op.y);
}
inline auto narrow_operands(SiluGradient& op) {
  return std::tie(op.x, op.dy, op.dx);
}
inline auto narrow_operands(AddScaled& op) {
  return std::tie(op.x, op.y);
}
inline auto narrow_operands(Affine& op) {
  return std::tie(op.x, op.y);
}
inline auto narrow_operands(ScaleImages& op) {
  return std::tie(op.x, op.y);
}
inline auto narrow_operands(FourierFeatures& op) {
  return std::tie(op.y);
}
inline auto narrow_operands(FourierFeaturesGradient& op) {
  return std::tie(op.dy);
}
inline auto narrow_operands(Concatenate& op) {
  return std::tie(op.x0, op.x1, op.y);
}
inline auto narrow_operands(Perturb& op) {
  return std::tie(op.xt);
}

inline auto narrow_operands(NoiseLoss& op) {
  return std::tie(op.output);
}
inline auto narrow_operands(NoiseLossGradient& op) {
  return std::tie(op.output, op.doutput);
}
inline auto narrow_operands(NormGradient& op) {
  return std::tie(op.dz, op.x0, op.x1, op.dx0, op.dx1);
}

inline auto narrow_operands(Resize& op) {
  return std::tie(op.x, op.y);
}
inline auto narrow_operands(ResizeGradient& op) {
  return std::tie(op.dy, op.dx);
}
inline auto narrow_operands(Conv& op) {
  return std::tie(op.x0, op.x1, op.residual, op.y);
}
inline auto narrow_operands(ConvDataGradient& op) {
  return std::tie(op.dy, op.x0, op.x1, op.dz);
}
inline auto narrow_operands(ConvWeightGradient& op) {
  return std::tie(op.dy, op.x0, op.x1);
}
inline auto narrow_operands(Attention& op) {
  return std::tie(op.qkv, op.y);
}
inline auto narrow_operands(AttentionGradient& op) {
  return std::tie(op.qkv, op.y, op.dy, op.dqkv);
}

/// How far from the f32 result they may then be, as a share of the largest element. Tensor cores read both operands
/// rounded to 2^-9 of themselves; what is stored is rounded once more.
template <typename Op>
double narrow_tolerance(const Op&) {
  return 0;
}
template <typename Op>
requires std::is_same_v<Op, Conv> || std::is_same_v<Op, ConvDataGradient> || std::is_same_v<Op, ConvWeightGradient> ||
    std::is_same_v<Op, Attention> || std::is_same_v<Op, AttentionGradient>
double narrow_tolerance(const Op&) {
  return 0x1p-7;
}

}  // namespace kernels::test
