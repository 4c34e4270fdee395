// The part of `scoremle checkpoint` that reads and writes files of other programs.
#pragma once

#include "launch/session.h"

namespace launch {

struct ExportFlags {
  std::string run, file, names = "ours", weights = "averaged";
  std::int64_t step = -1;
};

/// Writes a run's weights, with its config, as a safetensors file.
int export_weights(const ExportFlags& flags, Session& session);

struct ImportFlags {
  std::string run, file, config;
  std::vector<std::string> overrides;
};

/// Makes a run, at step 0, from a safetensors file.
int import_weights(const ImportFlags& flags, Session& session);

}  // namespace launch
