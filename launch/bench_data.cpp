// scoremle bench data: how fast images come out of a packed set.
#include "core/data/loader.h"
#include "core/data/packed_index.h"
#include "distributed/metrics.h"
#include "launch/bench.h"

namespace launch {

int bench_data(const BenchDataFlags& flags) {
  const core::data::ImageShape shape = shape_of(core::data::read_index(flags.packed));
  const distributed::Timer opening;
  const core::data::Dataset dataset(core::data::open_packed(flags.packed, shape), shape);
  const double opened = opening.seconds();
  const core::data::Loader loader(dataset, 42, flags.batch);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(flags.batch * shape.elements()));
  std::vector<std::int64_t> samples(static_cast<std::size_t>(flags.batch)), positions(samples);
  const std::int64_t steps = (dataset.size() + flags.batch - 1) / flags.batch;
  const distributed::Timer reading;
  for (std::int64_t step = 0; step < steps; ++step) loader.fill(step, 0, flags.batch, pixels, samples, positions);
  const double read = reading.seconds();
  const auto images = static_cast<double>(steps * flags.batch), bytes = static_cast<double>(shape.elements());
  fmt::print(
      "{}\nopened and checked in {:.3f} s ({:.2f} GB/s); {:.0f} images in batches of {} in {:.3f} s: {:.0f} "
      "images/s, {:.2f} GB/s\n",
      dataset.describe(), opened, 1e-9 * bytes * static_cast<double>(dataset.size()) / opened, images, flags.batch,
      read, images / read, 1e-9 * bytes * images / read);
  return 0;
}

}  // namespace launch
