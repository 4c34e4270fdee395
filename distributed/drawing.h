// Images drawn by all ranks together.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/config/run.pb.h"
#include "core/objective/score_network.h"
#include "core/picture/png.h"
#include "distributed/communicator.h"

namespace distributed {

struct Drawn {
  std::int64_t count = 0;
  std::vector<std::uint8_t> pixels;  // [count,side,side,channels], on every rank
  std::int64_t evaluations = 0;      // of the score for one image, mean
};

/// Images 0 to count - 1 of the config's sampler and seed, each rank its share; they do not depend on the number of
/// ranks. `progress` is of this rank and may be empty. Throws InputError where they are more
/// than 2 GiB; RunError with likelihood::score_status, on every rank, where the score is not finite or too rough for
/// the sampler. Collective.
Drawn draw_images(const core::config::RunConfig& config, Communicator& communicator,
                  core::objective::ScoreNetwork& network, std::int64_t count,
                  std::function<void(std::int64_t done, std::int64_t of)> progress);

/// As a picture that can be looked at.
core::picture::Picture grid_of(const Drawn& drawn, const core::config::RunConfig& config);

}  // namespace distributed
