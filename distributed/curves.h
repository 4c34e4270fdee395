// A run's curves as a picture and a table.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace distributed {

/// Draws curves.png in the run's folder from its metrics.jsonl: the held-out bound, with the source's entropy where it
/// is known; the diffusion term of the training loss where nothing was held out. Throws InputError where it cannot be
/// written.
void draw_curves(const std::filesystem::path& run, std::optional<double> entropy);

/// The held-out bounds of a run's metrics.jsonl, a line each; empty where there are none.
std::string heldout_table(const std::filesystem::path& run, std::optional<double> entropy);

}  // namespace distributed
