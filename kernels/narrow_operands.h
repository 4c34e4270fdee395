// Which operands of each record may be stored as bf16; all others are of the type that the record says.
#pragma once

#include <tuple>
#include <type_traits>

#include "kernels/ops.h"

namespace kernels {

template <typename Record>
std::tuple<> narrow_operands(Record&) {
  return {};
}
inline auto narrow_operands(Perturb& op) {
  return std::tie(op.xt);
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
inline auto narrow_operands(NormGradient& op) {
  return std::tie(op.dz, op.x0, op.x1, op.dx0, op.dx1);
}
inline auto narrow_operands(Attention& op) {
  return std::tie(op.qkv, op.y);
}
inline auto narrow_operands(AttentionGradient& op) {
  return std::tie(op.qkv, op.y, op.dy, op.dqkv);
}
inline auto narrow_operands(NoiseLoss& op) {
  return std::tie(op.output);
}
inline auto narrow_operands(NoiseLossGradient& op) {
  return std::tie(op.output, op.doutput);
}

/// Whether those of one record must all be stored alike.
template <typename Record>
constexpr bool stored_alike =
    std::is_same_v<Record, Silu> || std::is_same_v<Record, SiluGradient> || std::is_same_v<Record, AddScaled> ||
    std::is_same_v<Record, Concatenate> || std::is_same_v<Record, NormGradient>;

}  // namespace kernels
