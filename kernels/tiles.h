// Which tile of tensor cores makes a matrix product: by a rule, or as it is written in a table of measured ones.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace kernels {

/// A part of a product that a block makes: 64x64 or 128x128.
enum class TileSize : std::uint8_t { small, large };
inline constexpr TileSize tile_sizes[] = {TileSize::small, TileSize::large};
std::string text(TileSize tile);

/// What a kind of record multiplies: [rows,k] by [k,columns], or all of such products at once.
struct ProductShape {
  std::string record;
  std::int64_t rows, columns, k;
  auto operator<=>(const ProductShape&) const = default;
};

using ChooseTile = std::function<TileSize(const ProductShape&)>;

/// The small one where large ones would leave a tenth of an H100's multiprocessors idle, unless they share k out as
/// well.
TileSize tile_by_rule(const ProductShape& shape);

using TileTable = std::map<ProductShape, TileSize>;

/// Reads a line "Conv 131072 128 1152 128x128" for each shape: record, rows, columns, k, tile; what stands behind a #
/// is a remark. Throws InputError, one line that names the file and its line and says what to do.
TileTable read_tiles(const std::filesystem::path& file);
/// As read_tiles reads it.
std::string text(const TileTable& table);
/// As the table says, by the rule for what it does not have.
ChooseTile tiles_of(TileTable table);

}  // namespace kernels
