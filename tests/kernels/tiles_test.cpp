#include "kernels/tiles.h"

#include <gtest/gtest.h>

#include <fstream>

#include "kernels/check.h"
#include "tests/folder.h"

namespace kernels {
namespace {

constexpr std::int64_t enough = 120;  // of an H100's 132 multiprocessors

TEST(Tiles, AreLargeWhereEnoughOfThemAreMade) {
  EXPECT_EQ(tile_by_rule({"Conv", 128 * enough, 128, 9}), TileSize::large);
  EXPECT_EQ(tile_by_rule({"Conv", 128 * enough - 1, 128, 9}), TileSize::small);
  EXPECT_EQ(tile_by_rule({"Conv", 64 * enough, 256, 9}), TileSize::large);
  EXPECT_EQ(tile_by_rule({"Conv", 512 * enough, 64, 9}), TileSize::small);
  EXPECT_EQ(tile_by_rule({"Conv", 64, 512 * enough, 9}), TileSize::small);
  EXPECT_EQ(tile_by_rule({"ConvWeightGradient", 128, 128, 1 << 20}), TileSize::large);  // k is shared out
  EXPECT_EQ(tile_by_rule({"ConvWeightGradient", 64, 1152, 1 << 20}), TileSize::small);
}

TEST(Tiles, OfATableAreWhatItSaysAndByTheRuleOtherwise) {
  const ProductShape small{"Conv", 100, 64, 9}, large{"Conv", 128 * enough, 128, 9};
  const ChooseTile tile = tiles_of({{small, TileSize::large}, {large, TileSize::small}});
  EXPECT_EQ(tile(small), TileSize::large);
  EXPECT_EQ(tile(large), TileSize::small);
  for (ProductShape other : {ProductShape{"ConvDataGradient", 100, 64, 9}, ProductShape{"Conv", 101, 64, 9},
                             ProductShape{"Conv", 100, 65, 9}, ProductShape{"Conv", 100, 64, 8}})
    EXPECT_EQ(tile(other), TileSize::small);
}

struct TableFile {
  explicit TableFile(const std::string& text) { std::ofstream(path) << text; }
  tests::Folder folder{"tiles"};
  std::filesystem::path path = folder / "tiles.txt";
};

TEST(Tiles, AreReadAsTheyWereWritten) {
  const TileTable table = {{{"Conv", 131072, 128, 1152}, TileSize::large},
                           {{"ConvWeightGradient", 1, 2, 3}, TileSize::small}};
  EXPECT_EQ(read_tiles(TableFile(text(table)).path), table);
  EXPECT_EQ(read_tiles(TableFile("\n  # nothing\n").path), TileTable());
  EXPECT_EQ(read_tiles(TableFile("Conv 131072 128 1152 128x128 # measured\nConvWeightGradient 1 2 3 64x64").path),
            table);
}

std::string complaint(const std::filesystem::path& file) {
  try {
    read_tiles(file);
  } catch (const InputError& error) {
    return error.what();
  }
  return "none";
}

TEST(Tiles, WrongLinesGetOneMessage) {
  const std::string mend = "mend it, or let scoremle bench tune write the file anew",
                    form = " is not a record, rows, columns, k and a tile, such as 'Conv 131072 128 1152 128x128': ";
  const auto expect = [&](const std::string& line, const std::string& wanted) {
    const TableFile file("# the second line is wrong\n" + line + "\nConv 7 7 7 64x64\n");
    EXPECT_EQ(complaint(file.path), file.path.string() + wanted);
  };
  for (const std::string line : {"Conv 1 2 3", "Conv 1 2 64x64", "Conv 1 2 x 64x64", "Conv 0 2 3 64x64",
                                 "Conv 1 -2 3 64x64", "Conv 1 2 3 64x64 64x64", "Conv 1 2 99999999999999999999 64x64"})
    expect(line, ", line 2: '" + line + "'" + form + mend);
  expect("Conv 1 2 3 64x32", ", line 2: '64x32' is no tile, those are 64x64 and 128x128: " + mend);
  expect(
      "Linear 1 2 3 64x64",
      ", line 2: 'Linear' is no record whose tile is chosen, those are Conv, ConvDataGradient, ConvWeightGradient: " +
          mend);
  expect("Conv 7 7 7 128x128", ", line 3: says again which tile 'Conv 7 7 7' gets: delete one of the lines");
  EXPECT_EQ(complaint("/nowhere/tiles.txt"),
            "/nowhere/tiles.txt: cannot be read: name a file that scoremle bench tune has written");
}

}  // namespace
}  // namespace kernels
