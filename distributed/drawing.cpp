#include "distributed/drawing.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "core/sampling/guidance.h"
#include "core/sampling/settings.h"
#include "core/sde/sde.h"
#include "distributed/agreement.h"

namespace distributed {
namespace {

using core::objective::ScoreNetwork;
using core::sampling::Samples;

core::likelihood::Score score_of(ScoreNetwork& network, const core::config::Sampling& sampling, int place) {
  core::likelihood::Score of_class = network.score(sampling.classes(place));
  if (sampling.guidance() == 1) return of_class;
  return core::sampling::guided(std::move(of_class), network.score(network.null_label()), sampling.guidance());
}

/// The images of `indices`. Where the config names classes, those of one class after those of another.
Samples draw(ScoreNetwork& network, const core::config::Sampling& sampling, std::span<const std::int64_t> indices,
             core::sampling::Settings settings) {
  const int classes = sampling.classes_size();
  if (classes == 0) return core::sampling::draw(network.score(), indices, settings);
  Samples all{.x = std::vector<std::vector<double>>(indices.size())};
  const auto progress = settings.progress;
  std::int64_t drawn = 0;
  for (int place = 0; place < classes; ++place) {
    std::vector<std::int64_t> of_class;
    std::ranges::copy_if(indices, std::back_inserter(of_class),
                         [&](std::int64_t index) { return index % classes == place; });
    if (of_class.empty()) continue;
    if (progress) {
      settings.progress = [&](std::int64_t done, std::int64_t of) {
        const std::int64_t of_an_image = of / std::ssize(of_class);
        progress(drawn * of_an_image + done, std::ssize(indices) * of_an_image);
      };
    }
    Samples samples = core::sampling::draw(score_of(network, sampling, place), of_class, settings);
    for (std::size_t i = 0, next = 0; i < indices.size(); ++i) {
      if (indices[i] % classes == place) all.x[i] = std::move(samples.x[next++]);
    }
    all.evaluations += samples.evaluations;
    drawn += std::ssize(of_class);
  }
  return all;
}

}  // namespace

Drawn draw_images(const core::config::RunConfig& config, Communicator& communicator, ScoreNetwork& network,
                  std::int64_t count, std::function<void(std::int64_t, std::int64_t)> progress) {
  const std::int64_t side = config.data().image_size(), bytes_of_all = count * side * side * config.data().channels();
  kernels::require(bytes_of_all <= std::numeric_limits<int>::max(),  // MPI counts what is gathered in int
                   "sampling.images: {} of them are {:.1f} GiB, at most 2 can be drawn in one call; use several seeds",
                   count, static_cast<double>(bytes_of_all) / 0x1p30);
  const std::int64_t rank = communicator.rank(), size = communicator.size();
  std::vector<std::int64_t> own(static_cast<std::size_t>(count * (rank + 1) / size - count * rank / size));
  std::iota(own.begin(), own.end(), count * rank / size);
  core::sampling::Settings settings = core::sampling::settings_of(config);
  settings.progress = std::move(progress);
  Samples samples;
  std::optional<Failure> mine;
  try {
    samples = draw(network, config.sampling(), own, std::move(settings));
  } catch (const kernels::RunError& error) {
    mine = Failure{error.status, error.what()};
  }
  if (const auto failure = first_failure(communicator, mine)) throw kernels::RunError(failure->text, failure->code);

  std::int64_t evaluations = samples.evaluations;
  communicator.all_reduce(std::span(&evaluations, 1), Combine::sum);
  std::string bytes;
  for (const auto& x : samples.x) {
    const auto pixels = core::sampling::to_pixels(x, core::sde::pixel_range(config));
    bytes.append(pixels.begin(), pixels.end());
  }
  Drawn drawn{.count = count, .pixels = {}, .evaluations = evaluations / count};
  for (const std::string& part : communicator.all_gather(bytes))
    drawn.pixels.insert(drawn.pixels.end(), part.begin(), part.end());
  return drawn;
}

core::picture::Picture grid_of(const Drawn& drawn, const core::config::RunConfig& config) {
  const int side = config.data().image_size();
  return core::picture::grid(drawn.pixels, side, side, config.data().channels(),
                             static_cast<int>(std::ceil(std::sqrt(static_cast<double>(drawn.count)))),
                             core::picture::comfortable_scale(side));
}

}  // namespace distributed
