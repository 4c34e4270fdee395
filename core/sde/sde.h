// The diffusion that a config chooses; its formulas are in kernels/sde.h.
#pragma once

#include <string>

#include "core/config/run.pb.h"
#include "kernels/pixel_range.h"
#include "kernels/sde.h"

namespace core::sde {

kernels::Sde sde_of(const config::RunConfig& config);
kernels::TimeLaw time_law(const config::RunConfig& config);
/// Where data.pixel_range puts the levels of a pixel.
kernels::PixelRange pixel_range(const config::RunConfig& config);
/// "VP (beta 0.1 to 20)".
std::string describe(const kernels::Sde& sde);

}  // namespace core::sde
