#include "kernels/tiles.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "kernels/check.h"

namespace kernels {
namespace {

constexpr const char* mend = "mend it, or let scoremle bench tune write the file anew";

/// 0 for what is no number of at least 1.
std::int64_t count(const std::string& word) {
  std::int64_t value = 0;
  const char* const end = word.data() + word.size();
  const auto [read, error] = std::from_chars(word.data(), end, value);
  return error == std::errc() && read == end ? std::max<std::int64_t>(value, 0) : 0;
}

TileSize tile_named(const std::string& name, const std::string& place) {
  for (const TileSize tile : tile_sizes)
    if (name == text(tile)) return tile;
  throw InputError(fmt::format("{}: '{}' is no tile, those are {} and {}: {}", place, name, text(TileSize::small),
                               text(TileSize::large), mend));
}

}  // namespace

std::string text(TileSize tile) {
  return tile == TileSize::small ? "64x64" : "128x128";
}

TileSize tile_by_rule(const ProductShape& shape) {
  constexpr std::int64_t large = 128, enough = 120;  // of 132 multiprocessors
  const bool shares_k = shape.record == "ConvWeightGradient";
  return shape.rows >= large && shape.columns >= large &&
                 (shares_k || shape.rows * shape.columns >= enough * large * large)
             ? TileSize::large
             : TileSize::small;
}

TileTable read_tiles(const std::filesystem::path& file) {
  static const std::set<std::string> records = {"Conv", "ConvDataGradient", "ConvWeightGradient"};
  std::ifstream in(file);
  require(in.good(), "{}: cannot be read: name a file that scoremle bench tune has written", file.string());
  TileTable table;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const std::string place = fmt::format("{}, line {}", file.string(), number);
    std::istringstream in_line(line.substr(0, line.find('#')));
    std::vector<std::string> words{std::istream_iterator<std::string>(in_line), {}};
    if (words.empty()) continue;
    words.resize(std::max<std::size_t>(words.size(), 5));
    const ProductShape shape{words[0], count(words[1]), count(words[2]), count(words[3])};
    require(words.size() == 5 && shape.rows > 0 && shape.columns > 0 && shape.k > 0 && !words[4].empty(),
            "{}: '{}' is not a record, rows, columns, k and a tile, such as 'Conv 131072 128 1152 128x128': {}", place,
            line, mend);
    require(records.contains(shape.record), "{}: '{}' is no record whose tile is chosen, those are {}: {}", place,
            shape.record, fmt::join(records, ", "), mend);
    require(table.emplace(shape, tile_named(words[4], place)).second,
            "{}: says again which tile '{} {} {} {}' gets: delete one of the lines", place, shape.record, shape.rows,
            shape.columns, shape.k);
  }
  return table;
}

std::string text(const TileTable& table) {
  std::string all = "# record rows columns k tile\n";
  for (const auto& [shape, tile] : table)
    all += fmt::format("{} {} {} {} {}\n", shape.record, shape.rows, shape.columns, shape.k, text(tile));
  return all;
}

ChooseTile tiles_of(TileTable table) {
  return [table = std::move(table)](const ProductShape& shape) {
    const auto found = table.find(shape);
    return found == table.end() ? tile_by_rule(shape) : found->second;
  };
}

}  // namespace kernels
