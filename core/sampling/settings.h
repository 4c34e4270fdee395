// The samplers that a config chooses.
#pragma once

#include "core/config/run.pb.h"
#include "core/sampling/sample.h"

namespace core::sampling {

/// Of a config without violations.
Settings settings_of(const config::RunConfig& config);

}  // namespace core::sampling
