#include "core/sampling/settings.h"

#include <gtest/gtest.h>

#include "core/config/load.h"

namespace core::sampling {
namespace {

Settings chosen(const std::string& text) {
  return settings_of(config::load_valid("quickstart", {"sampling { " + text + " }"}, {"configs"}));
}
PredictorCorrector stepwise(const std::string& text) {
  return std::get<PredictorCorrector>(chosen(text).sampler);
}

TEST(SettingsOf, EverySamplerWithItsGrid) {
  EXPECT_EQ(stepwise("sampler: EULER_MARUYAMA").predictor, Predictor::euler_maruyama);
  EXPECT_EQ(stepwise("sampler: ANCESTRAL").predictor, Predictor::ancestral);
  EXPECT_EQ(stepwise("sampler: REVERSE_DIFFUSION").predictor, Predictor::reverse_diffusion);
  EXPECT_EQ(stepwise("sampler: DDIM ddim_eta: 0.5").predictor, Predictor::ddim);
  EXPECT_EQ(stepwise("sampler: DDIM ddim_eta: 0.5").eta, 0.5);
  EXPECT_EQ(stepwise("sampler: CORRECTOR_ONLY corrector { kind: LANGEVIN }").predictor, Predictor::none);
  EXPECT_EQ(std::get<ProbabilityFlow>(chosen("sampler: PROBABILITY_FLOW ode_tolerance: 1e-3").sampler).tolerance, 1e-3);
  EXPECT_TRUE(std::holds_alternative<DpmSolver2M>(chosen("sampler: DPM_SOLVER_2M").sampler));
  const Heun heun = std::get<Heun>(
      chosen("sampler: HEUN churn { amount: 40 least_sigma: 0.05 largest_sigma: 50 noise: 1.003 }").sampler);
  EXPECT_EQ(heun.churn, 40);
  EXPECT_EQ(heun.least_sigma, 0.05);
  EXPECT_EQ(heun.largest_sigma, 50);
  EXPECT_EQ(heun.noise, 1.003);

  EXPECT_EQ(chosen("sampler: ANCESTRAL").spacing, Spacing::uniform_time);
  EXPECT_EQ(chosen("sampler: DDIM").spacing, Spacing::uniform_log_snr);
  EXPECT_EQ(chosen("sampler: DPM_SOLVER_2M").spacing, Spacing::uniform_log_snr);
  EXPECT_EQ(chosen("sampler: HEUN").spacing, Spacing::rho);
  EXPECT_EQ(chosen("sampler: HEUN grid: UNIFORM_LOG_SNR").spacing, Spacing::uniform_log_snr);
  EXPECT_EQ(chosen("sampler: DDIM grid: UNIFORM_TIME").spacing, Spacing::uniform_time);
  EXPECT_EQ(chosen("grid: RHO").spacing, Spacing::rho);
}

TEST(SettingsOf, CorrectorFinishAndTheRest) {
  const Corrector corrector = stepwise("corrector { kind: ANNEALED_LANGEVIN steps: 3 snr: 0.2 }").corrector;
  EXPECT_EQ(corrector.kind, Corrector::Kind::annealed);
  EXPECT_EQ(corrector.steps, 3);
  EXPECT_EQ(corrector.snr, 0.2);
  EXPECT_EQ(stepwise("corrector { kind: LANGEVIN }").corrector.kind, Corrector::Kind::langevin);
  EXPECT_EQ(stepwise("").corrector.kind, Corrector::Kind::none);
  EXPECT_EQ(chosen("").finish, Finish::tweedie);
  EXPECT_EQ(chosen("finish: NOISE_FREE").finish, Finish::noise_free);
  const Settings settings = chosen("steps: 7 smallest_time: 0.02");
  EXPECT_EQ(settings.steps, 7);
  EXPECT_EQ(settings.smallest_time, 0.02);
  EXPECT_EQ(settings.seed, 42u);
}

TEST(SettingsOf, RefusesWhatASamplerWouldIgnore) {
  const auto line = [](const std::string& text) -> std::string {
    try {
      chosen(text);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  };
  const std::string at = "quickstart: sampling.";
  for (const char* sampler : {"HEUN", "DPM_SOLVER_2M", "PROBABILITY_FLOW"}) {
    EXPECT_EQ(line(std::string("corrector { kind: LANGEVIN } sampler: ") + sampler),
              at + "corrector.kind: is LANGEVIN, but " + sampler +
                  " has no place for a corrector; use EULER_MARUYAMA, ANCESTRAL, REVERSE_DIFFUSION, DDIM or "
                  "CORRECTOR_ONLY");
  }
  EXPECT_EQ(line("sampler: CORRECTOR_ONLY"),
            at + "corrector.kind: must be LANGEVIN or ANNEALED_LANGEVIN where the sampler is CORRECTOR_ONLY");
  EXPECT_EQ(line("sampler: CORRECTOR_ONLY finish: NOISE_FREE corrector { kind: LANGEVIN }"),
            at + "finish: is NOISE_FREE, but CORRECTOR_ONLY has no step that could be; use TWEEDIE");
  EXPECT_EQ(line("ddim_eta: 1"), at + "ddim_eta: is 1, but the sampler is EULER_MARUYAMA");
  EXPECT_EQ(line("sampler: DDIM ddim_eta: 1.5"), at + "ddim_eta: is 1.5, must be in [0, 1]");
  EXPECT_EQ(line("sampler: DDIM churn { amount: 3 }"),
            at + "churn: is set, but only HEUN churns and the sampler is DDIM");
  EXPECT_EQ(line("sampler: DDIM churn { least_sigma: 3 }"),
            at + "churn: is set, but only HEUN churns and the sampler is DDIM");
  EXPECT_EQ(line("corrector { snr: 3 }"),
            at + "corrector.kind: is NO_CORRECTOR, but its steps or snr are set; choose LANGEVIN or ANNEALED_LANGEVIN");
  EXPECT_EQ(line("sampler: HEUN churn { amount: -1 }"), at + "churn.amount: is -1, must be at least 0");
  EXPECT_EQ(line("sampler: HEUN churn { least_sigma: 2 largest_sigma: 1 }"),
            at + "churn.largest_sigma: is 1, must be at least 2");
  EXPECT_EQ(line("sampler: HEUN churn { noise: 0 }"), at + "churn.noise: is 0, must be greater than 0");
  EXPECT_EQ(line("sampler: PROBABILITY_FLOW grid: RHO"),
            at + "grid: is RHO, but PROBABILITY_FLOW chooses its own steps");
  EXPECT_EQ(line("corrector { kind: LANGEVIN snr: 0 }"), at + "corrector.snr: is 0, must be greater than 0");
  EXPECT_EQ(line("corrector { kind: LANGEVIN steps: 0 }"), at + "corrector.steps: is 0, must be in [1, 1048576]");
  EXPECT_EQ(line("steps: 100000 corrector { kind: LANGEVIN steps: 1000 }"),
            at + "corrector.steps: are 1000, with 100000 steps of the sampler: together more than 2^24");
}

}  // namespace
}  // namespace core::sampling
