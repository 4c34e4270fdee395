#include "core/sampling/settings.h"

#include "core/sde/sde.h"

namespace core::sampling {
namespace {

Corrector corrector_of(const config::Corrector& corrector) {
  return {.kind = corrector.kind() == config::LANGEVIN            ? Corrector::Kind::langevin
                  : corrector.kind() == config::ANNEALED_LANGEVIN ? Corrector::Kind::annealed
                                                                  : Corrector::Kind::none,
          .steps = corrector.steps(),
          .snr = corrector.snr()};
}

Sampler sampler_of(const config::Sampling& sampling) {
  const auto with_corrector = [&](Predictor predictor) {
    return PredictorCorrector{
        .predictor = predictor, .eta = sampling.ddim_eta(), .corrector = corrector_of(sampling.corrector())};
  };
  switch (sampling.sampler()) {
    case config::PROBABILITY_FLOW:
      return ProbabilityFlow{.tolerance = sampling.ode_tolerance(), .max_evaluations = sampling.ode_max_evaluations()};
    case config::HEUN:
      return Heun{.churn = sampling.churn().amount(),
                  .least_sigma = sampling.churn().least_sigma(),
                  .largest_sigma = sampling.churn().largest_sigma(),
                  .noise = sampling.churn().noise()};
    case config::DPM_SOLVER_2M:
      return DpmSolver2M{};
    case config::ANCESTRAL:
      return with_corrector(Predictor::ancestral);
    case config::REVERSE_DIFFUSION:
      return with_corrector(Predictor::reverse_diffusion);
    case config::DDIM:
      return with_corrector(Predictor::ddim);
    case config::CORRECTOR_ONLY:
      return with_corrector(Predictor::none);
    default:
      return with_corrector(Predictor::euler_maruyama);
  }
}

Spacing spacing_of(const config::Sampling& sampling) {
  switch (sampling.grid()) {
    case config::UNIFORM_TIME:
      return Spacing::uniform_time;
    case config::UNIFORM_LOG_SNR:
      return Spacing::uniform_log_snr;
    case config::RHO:
      return Spacing::rho;
    default:
      return sampling.sampler() == config::DDIM || sampling.sampler() == config::DPM_SOLVER_2M
                 ? Spacing::uniform_log_snr
             : sampling.sampler() == config::HEUN ? Spacing::rho
                                                  : Spacing::uniform_time;
  }
}

}  // namespace

Settings settings_of(const config::RunConfig& config) {
  const auto& sampling = config.sampling();
  return {.sde = sde::sde_of(config),
          .smallest_time = sampling.smallest_time(),
          .seed = static_cast<std::uint64_t>(config.seed()),
          .sampler = sampler_of(sampling),
          .spacing = spacing_of(sampling),
          .finish = sampling.finish() == config::NOISE_FREE ? Finish::noise_free : Finish::tweedie,
          .steps = sampling.steps(),
          .progress = {}};
}

}  // namespace core::sampling
