// Which tile makes each matrix product of a training step fastest.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <memory>

#include "core/config/run.pb.h"
#include "kernels/device.h"

namespace launch {

/// Seconds of all records of a training step that make a product of this shape, by tile, in the order of tile_sizes.
using TileTimes = std::map<kernels::ProductShape, std::array<double, std::size(kernels::tile_sizes)>>;

/// Runs training steps on the device, which takes tiles by the rule afterwards; the fastest of some runs counts.
TileTimes time_tiles(const core::config::RunConfig& config, const std::shared_ptr<kernels::Device>& device, int runs);

/// The fastest of each shape.
kernels::TileTable fastest_tiles(const TileTimes& times);

/// Times the tiles, prints a line for each shape and writes a table of the fastest. Throws InputError where the device
/// or the config has none to choose.
void tune(const core::config::RunConfig& config, const std::shared_ptr<kernels::Device>& device, int runs,
          const std::filesystem::path& file);

}  // namespace launch
