// From files, presets and overrides to one valid, complete description of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config/run.pb.h"

namespace core::config {

/// Reads a config file, or the preset of that name in one of the folders; merges its bases under it and the overrides
/// (protobuf text, in order) over it; fills in defaults; checks everything. Throws InputError: syntax and unknown
/// fields with file, line and column; violations all at once with their field paths.
RunConfig load_valid(const std::filesystem::path& file_or_preset, const std::vector<std::string>& overrides,
                     const std::vector<std::filesystem::path>& preset_folders);

/// The same of a config that is text already; `source` is what errors call it.
RunConfig valid_text(const std::string& text, const std::string& source, const std::vector<std::string>& overrides);

/// As load_valid, without defaults and checks.
RunConfig load(const std::filesystem::path& file_or_preset, const std::vector<std::string>& overrides,
               const std::vector<std::filesystem::path>& preset_folders);

/// Fills every unset field that has a default; what each default is stands in defaults.cpp.
RunConfig with_defaults(const RunConfig& config);

struct Violation {
  std::string field, message;  // "optimizer.learning_rate", "is -1, must be positive"
};
/// Everything that is wrong with a config that has its defaults.
std::vector<Violation> violations(const RunConfig& config);

/// Throws InputError where no images are named: asked by what is to read them. `field` is the source's path
/// ("data.training").
void require_source(const Source& source, const std::string& field);

/// The config as protobuf text.
std::string text(const RunConfig& config);
/// Only what decides the weights of a run: what a resumed run must share. Two configs with the same text train alike.
/// Images from files are named by their fingerprint, wherever they lie.
std::string fixed_text(const RunConfig& config, const std::string& training_fingerprint = "");
/// Only what a trained network can be used as: its architecture, the images' shape and the SDE (its times may be cut
/// off elsewhere).
std::string network_text(const RunConfig& config);

/// Images of one step, over all ranks.
std::int64_t global_batch(const RunConfig& config);

}  // namespace core::config
