// Tuning on the emulated GPU, whose times mean nothing.
#include "launch/tuning.h"

#include <gtest/gtest.h>

#include "core/config/load.h"
#include "kernels/simt/emulated_device.h"
#include "tests/folder.h"

namespace launch {
namespace {

using kernels::ProductShape;

core::config::RunConfig config_of(const std::string& more) {
  return core::config::load_valid(
      "quickstart",
      {"model { channels: 8 channel_multipliers: [1, 2] blocks: 1 attention_sizes: 4 } data { image_size: 8 } training "
       "{ micro_batch_images: 2 } evaluation { bound_times: 2 batch_images: 8 }",
       more},
      {"configs"});
}

std::shared_ptr<kernels::Device> gpu() {
  return kernels::simt::make_emulated_device(std::size_t{1} << 30);
}

TEST(Tuning, TimesTheProductsOfAStepWithEveryTile) {
  const TileTimes times = time_tiles(config_of("training { activations: BFLOAT16 }"), gpu(), 1);
  for (const auto& [shape, seconds] : times)
    for (const double each : seconds) EXPECT_GT(each, 0) << shape.record;
  EXPECT_FALSE(times.empty());
}

TEST(Tuning, TakesTheFastestTile) {
  const ProductShape first{"Conv", 1, 2, 3}, second{"Conv", 4, 5, 6};
  EXPECT_EQ(fastest_tiles({{first, {2e-6, 3e-6}}, {second, {3e-6, 2e-6}}}),
            (kernels::TileTable{{first, kernels::TileSize::small}, {second, kernels::TileSize::large}}));
}

TEST(Tuning, WritesATableThatIsRead) {
  const tests::Folder folder("tuning");
  tune(config_of("training { activations: BFLOAT16 }"), gpu(), 1, folder / "tiles.txt");
  const kernels::TileTable table = kernels::read_tiles(folder / "tiles.txt");
  // Of a 3x3 convolution of 8 channels on 2 images of 8x8, and of the one that doubles 16 channels on 4x4.
  for (const ProductShape& shape :
       {ProductShape{"Conv", 128, 8, 72}, ProductShape{"ConvDataGradient", 128, 8, 72},
        ProductShape{"ConvWeightGradient", 8, 72, 128}, ProductShape{"Conv", 128, 16, 64},
        ProductShape{"ConvDataGradient", 32, 16, 256}, ProductShape{"ConvWeightGradient", 256, 16, 32}})
    EXPECT_TRUE(table.contains(shape)) << shape.record << " " << shape.rows << " " << shape.columns << " " << shape.k;
}

TEST(Tuning, OfFloatsIsRefused) {
  const tests::Folder folder("tuning_floats");
  EXPECT_THROW(tune(config_of(""), gpu(), 1, folder / "tiles.txt"), kernels::InputError);
  EXPECT_FALSE(std::filesystem::exists(folder / "tiles.txt"));
}

}  // namespace
}  // namespace launch
