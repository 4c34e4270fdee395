// Which kernel serves a record: whether tensor cores do, how many channels are read together, and which tile; for
// kernels only.
#pragma once

#include "kernels/gpu_product.h"

namespace kernels::BACKEND {

inline bool are_groups(std::initializer_list<std::int64_t> extents) {
  return std::all_of(extents.begin(), extents.end(), [](std::int64_t extent) { return extent % group == 0; });
}

/// Tensor cores take activations that are stored as bf16, eight neighbours together; all else is computed in float.
inline bool by_tensor_cores(std::initializer_list<Tensor> activations, std::initializer_list<std::int64_t> extents) {
  return are_groups(extents) && std::all_of(activations.begin(), activations.end(),
                                            [](const Tensor& t) { return !t || t.element == Element::bf16; });
}

/// Calls f(std::integral_constant<int, width>) with how many neighbours along the extents are read together.
template <typename F>
auto with_groups(std::initializer_list<std::int64_t> extents, const F& f) {
  return are_groups(extents) ? f(std::integral_constant<int, group>{}) : f(std::integral_constant<int, 1>{});
}

/// Calls f(std::type_identity<Tile>) with the tile of tensor cores for a product.
template <typename F>
auto with_mma_tile(const GpuContext& context, const ProductShape& shape, const F& f) {
  return context.tile(shape) == TileSize::large ? f(std::type_identity<MmaTile<128, 128, 64, 64>>{})
                                                : f(std::type_identity<MmaTile<64, 64, 32, 32>>{});
}

using FloatTile = FmaTile<64, 64>;
inline constexpr int few = 16;  // rows or columns, such as an image's own channels
using FewColumns = FmaTile<128, few>;
using FewRows = FmaTile<few, 128>;

}  // namespace kernels::BACKEND
