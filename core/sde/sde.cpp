#include "core/sde/sde.h"

#include <fmt/format.h>

namespace core::sde {

using kernels::SdeKind;

kernels::Sde sde_of(const config::RunConfig& config) {
  const auto& sde = config.sde();
  return {
      .kind = sde.kind() == config::SUB_VP ? SdeKind::sub_vp
              : sde.kind() == config::VE   ? SdeKind::ve
                                           : SdeKind::vp,
      .beta_min = sde.beta_min(),
      .beta_max = sde.beta_max(),
      .sigma_min = sde.sigma_min(),
      .sigma_max = sde.sigma_max(),
      .label = config.model().time_label() == config::LOG_SNR ? kernels::TimeLabel::log_snr : kernels::TimeLabel::time};
}

kernels::TimeLaw time_law(const config::RunConfig& config) {
  const auto& objective = config.objective();
  return {.sde = sde_of(config),
          .smallest_time = config.sde().smallest_time(),
          .sampling = objective.time_sampling() == config::UNIFORM ? kernels::TimeSampling::uniform
                                                                   : kernels::TimeSampling::importance,
          .weighting =
              objective.weighting() == config::SIMPLE ? kernels::Weighting::simple : kernels::Weighting::likelihood};
}

kernels::PixelRange pixel_range(const config::RunConfig& config) {
  return config.data().pixel_range() == config::ZERO_TO_ONE ? kernels::unit_range : kernels::PixelRange();
}

std::string describe(const kernels::Sde& sde) {
  if (sde.kind == SdeKind::ve) return fmt::format("VE (sigma {} to {})", sde.sigma_min, sde.sigma_max);
  return fmt::format("{} (beta {} to {})", sde.kind == SdeKind::vp ? "VP" : "sub-VP", sde.beta_min, sde.beta_max);
}

}  // namespace core::sde
