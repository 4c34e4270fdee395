// Which kernel serves a record: how many channels are handled together, and which tile; for kernels only.
#pragma once

#include "kernels/gpu_product.h"

namespace kernels::BACKEND {

inline bool all_bf16(std::initializer_list<Tensor> tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const Tensor& t) { return !t || t.element == Element::bf16; });
}

/// Calls f(std::integral_constant<int, width>) with how many channels are handled together.
template <typename F>
auto with_channels(std::initializer_list<std::int64_t> channels, const F& f) {
  const bool all = std::all_of(channels.begin(), channels.end(), [](std::int64_t c) { return c % group == 0; });
  return all ? f(std::integral_constant<int, group>{}) : f(std::integral_constant<int, 1>{});
}

/// Calls f(std::type_identity<Tile>) with the tile for a product [rows,columns]: by tensor cores if all activations
/// that are read and written are bf16, in float otherwise; a small one where large ones would leave multiprocessors of
/// an H100 idle.
template <int width, typename F>
auto with_tile(bool bf16, std::int64_t rows, std::int64_t columns, const F& f) {
  if constexpr (width == group) {
    constexpr std::int64_t enough = 132 * 128 * 128;
    if (bf16 && rows >= 128 && columns >= 128 && rows * columns >= enough)
      return f(std::type_identity<MmaTile<128, 128, 64, 32>>{});
    if (bf16) return f(std::type_identity<MmaTile<64, 64, 32, 32>>{});
  }
  if (columns <= 16) return f(std::type_identity<FmaTile<128, 16>>{});
  if (rows <= 16) return f(std::type_identity<FmaTile<16, 128>>{});
  return f(std::type_identity<FmaTile<64, 64>>{});
}

}  // namespace kernels::BACKEND
