// A run's curves as a picture.
#pragma once

#include <filesystem>
#include <optional>

namespace distributed {

/// Draws curves.png in the run's folder from its metrics.jsonl: the held-out bound, with the source's entropy where it
/// is known; the diffusion term of the training loss where nothing was held out. Throws InputError where it cannot be
/// written.
void draw_curves(const std::filesystem::path& run, std::optional<double> entropy);

}  // namespace distributed
