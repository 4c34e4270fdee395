// A run's curves as a picture and a table.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace distributed {

/// Draws loss.png in the run's folder from its metrics.jsonl, the diffusion term of the training loss, and heldout.png
/// where images were held out: their bound, with the source's entropy where it is known. Throws InputError where they
/// cannot be written.
void draw_curves(const std::filesystem::path& run, std::optional<double> entropy);

/// The held-out bounds of a run's metrics.jsonl, a line each; empty where there are none.
std::string heldout_table(const std::filesystem::path& run, std::optional<double> entropy);

}  // namespace distributed
