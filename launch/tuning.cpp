#include "launch/tuning.h"

#include <algorithm>
#include <optional>

#include "core/storage/file_io.h"
#include "launch/record_table.h"
#include "launch/training_step.h"

namespace launch {
namespace {

/// Prints each shape's times, and what the table gains over the rule.
void print(const TileTimes& times, const kernels::TileTable& table) {
  fmt::print("{:<20} {:>9} {:>8} {:>9}", "record", "rows", "columns", "k");
  for (const kernels::TileSize tile : kernels::tile_sizes) fmt::print(" {:>8} us", text(tile));
  fmt::print("  by rule  fastest\n");
  double by_rule = 0, best = 0;
  for (const auto& [shape, seconds] : times) {
    const kernels::TileSize rule = tile_by_rule(shape), fastest = table.at(shape);
    fmt::print("{:<20} {:>9} {:>8} {:>9}", shape.record, shape.rows, shape.columns, shape.k);
    for (const double each : seconds) fmt::print(" {:>11.2f}", 1e6 * each);
    fmt::print("  {:>7}  {:>7}\n", text(rule), text(fastest));
    by_rule += seconds[static_cast<std::size_t>(rule)];
    best += seconds[static_cast<std::size_t>(fastest)];
  }
  fmt::print("{} shapes of products: {:.3f} ms by the rule, {:.3f} ms with the fastest tiles\n", times.size(),
             1e3 * by_rule, 1e3 * best);
}

}  // namespace

TileTimes time_tiles(const core::config::RunConfig& config, const std::shared_ptr<kernels::Device>& device, int runs) {
  TileTimes times;
  for (std::size_t i = 0; i < std::size(kernels::tile_sizes); ++i) {
    std::optional<kernels::ProductShape> asked;
    device->choose_tiles([&](const kernels::ProductShape& shape) {
      asked = shape;
      return kernels::tile_sizes[i];
    });
    TrainingStep step(config, device);
    step.run_micro_batch();
    const std::vector<double> seconds = record_seconds(step.executor(), runs);
    for (std::size_t record = 0; record < seconds.size(); ++record) {
      asked.reset();
      device->prepare(step.program().ops()[record], {});  // once more, to hear what it multiplies
      if (asked) times[*asked][i] += seconds[record];
    }
  }
  device->choose_tiles(kernels::tile_by_rule);
  return times;
}

kernels::TileTable fastest_tiles(const TileTimes& times) {
  kernels::TileTable table;
  for (const auto& [shape, seconds] : times)
    table[shape] = kernels::tile_sizes[std::ranges::min_element(seconds) - seconds.begin()];
  return table;
}

void tune(const core::config::RunConfig& config, const std::shared_ptr<kernels::Device>& device, int runs,
          const std::filesystem::path& file) {
  kernels::require(device->residence() == kernels::Residence::device,
                   "--device: is the CPU, which has no tiles: tune on a GPU, with --device cuda");
  kernels::require(
      config.training().activations() == core::config::BFLOAT16,
      "training.activations: is FLOAT32, and tensor cores, whose tiles these are, take BFLOAT16: add --set "
      "'training {{ activations: BFLOAT16 }}'");
  const TileTimes times = time_tiles(config, device, runs);
  const kernels::TileTable table = fastest_tiles(times);
  print(times, table);
  core::storage::replace_file(file, text(table));
}

}  // namespace launch
