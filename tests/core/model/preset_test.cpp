// The presets' networks: what each has to be, by its name.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/config/load.h"
#include "core/model/weights_file.h"

namespace core::model {
namespace {

namespace fs = std::filesystem;

/// What a preset's name promises; in learned parameters.
struct Promise {
  const char* part;
  std::int64_t parameters;
};
constexpr Promise promises[] = {{"_ddpmpp_deep_", 106'632'579}, {"_ddpmpp_", 61'804'419}, {"_ddpm_", 35'218'947},
                                {"_ncsnpp_deep_", 107'586'947}, {"_ncsnpp_", 62'758'787}, {"adm64", 295'131'267}};

std::int64_t learned(const UNetSpec& spec) {
  std::int64_t count = 0;
  for (const auto& parameter : NetworkParameters(spec).ours)
    count += parameter.training == program::Training::learned ? parameter.tensor.shape.elements() : 0;
  return count;
}

bool has(const std::string& name, const char* part) {
  return name.find(part) != std::string::npos;
}

void expect_hyperparameters(const std::string& name, const config::RunConfig& c) {
  const bool ve = has(name, "_ve_"), subvp = has(name, "_subvp_"), deep = has(name, "_deep_"),
             imagenet = has(name, "imagenet");
  EXPECT_EQ(c.sde().kind(), ve ? config::VE : subvp ? config::SUB_VP : config::VP);
  EXPECT_EQ(c.objective().weighting(), has(name, "_simple") ? config::SIMPLE : config::LIKELIHOOD);
  const bool importance = name.ends_with("_likelihood");
  EXPECT_EQ(c.objective().time_sampling(), importance ? config::IMPORTANCE : config::UNIFORM);
  EXPECT_EQ(c.objective().loss_reduction(), ve ? config::HALF_SUM : config::MEAN);
  EXPECT_EQ(c.sde().smallest_time(), subvp ? 1e-2 : imagenet && importance && !ve ? 5e-5 : 1e-5);
  EXPECT_EQ(c.sampling().smallest_time(), subvp ? 1e-2 : ve ? 1e-5 : 1e-3);
  EXPECT_EQ(c.data().pixel_range(), ve ? config::ZERO_TO_ONE : config::MINUS_ONE_TO_ONE);
  EXPECT_EQ(c.data().image_size(), has(name, "imagenet64") ? 64 : 32);
  EXPECT_EQ(c.data().horizontal_flip(), !imagenet);
  EXPECT_EQ(c.model().dropout(), imagenet ? 0 : 0.1);
  EXPECT_EQ(c.optimizer().ema(), ve ? 0.999 : 0.9999);
  EXPECT_EQ(c.optimizer().warmup_steps(), 5000);
  EXPECT_EQ(c.training().steps(), deep ? 950'001 : 1'300'001);
  EXPECT_EQ(config::global_batch(c), 128);
  EXPECT_EQ(c.optimizer().learning_rate(), 2e-4);
  EXPECT_EQ(c.optimizer().beta1(), 0.9);
  EXPECT_EQ(c.optimizer().beta2(), 0.999);
  EXPECT_EQ(c.optimizer().epsilon(), 1e-8);
  EXPECT_EQ(c.optimizer().gradient_clip(), 1);
  EXPECT_EQ(c.sde().beta_min(), 0.1);
  EXPECT_EQ(c.sde().beta_max(), 20);
  if (ve) {
    EXPECT_EQ(c.sde().sigma_min(), 0.01);
    EXPECT_EQ(c.sde().sigma_max(), has(name, "imagenet64") ? 90 : 50);
  }
  EXPECT_EQ(c.training().keep_every(), 50'000);
  EXPECT_EQ(c.evaluation().passes(), imagenet ? 1 : 5);
  EXPECT_EQ(c.evaluation().ode_tolerance(), 1e-5);
  EXPECT_EQ(c.sampling().ode_tolerance(), 1e-5);
  EXPECT_EQ(c.sampling().sampler(), ve ? config::REVERSE_DIFFUSION : config::EULER_MARUYAMA);
  EXPECT_EQ(c.sampling().corrector().kind(), ve ? config::LANGEVIN : config::NO_CORRECTOR);
  EXPECT_EQ(c.sampling().corrector().snr(), 0.16);
}

void expect_vdm(const std::string& name, const config::RunConfig& c) {
  const bool imagenet64 = has(name, "imagenet64"), imagenet = has(name, "imagenet");
  EXPECT_EQ(learned(unet_spec(c)), imagenet64 ? 237'603'843 : imagenet ? 122'137'603 : 30'578'179);
  EXPECT_EQ(c.data().image_size(), imagenet64 ? 64 : 32);
  EXPECT_FALSE(c.data().horizontal_flip());
  EXPECT_EQ(c.model().time_label(), config::LOG_SNR);
  EXPECT_EQ(c.model().dropout(), 0.1);
  EXPECT_EQ(c.objective().time_sampling(), config::IMPORTANCE);
  EXPECT_EQ(c.optimizer().learning_rate(), 2e-4);
  EXPECT_EQ(c.optimizer().beta2(), 0.99);
  EXPECT_EQ(c.optimizer().warmup_steps(), 100);
  EXPECT_TRUE(std::isinf(c.optimizer().gradient_clip()));
  EXPECT_EQ(c.optimizer().ema(), 0.9999);
  EXPECT_EQ(config::global_batch(c), imagenet ? 512 : 128);
}

TEST(Presets, HaveTheNetworksAndHyperparametersOfTheirNames) {
  int published = 0;
  for (const auto& entry : fs::directory_iterator("configs")) {
    const std::string name = entry.path().stem().string();
    SCOPED_TRACE(name);
    const config::RunConfig config = config::load_valid(name, {}, {"configs"});
    EXPECT_EQ(config.name(), name);
    EXPECT_EQ(config.training().directory(), "runs/" + name);
    if (has(name, "_vdm_")) {
      expect_vdm(name, config);
      ++published;
    }
    for (const Promise& promise : promises) {
      if (!has(name, promise.part)) continue;
      const UNetSpec spec = unet_spec(config);
      EXPECT_EQ(learned(spec), promise.parameters + spec.labels() * 4 * spec.channels);
      if (promise.part[0] == '_') expect_hyperparameters(name, config);
      ++published;
      break;
    }
  }
  EXPECT_EQ(published, 1 + 3 * 16 + 2 + 3);
}

TEST(Presets, BenchmarkIsTheNetworkThatIsCompared) {
  const config::RunConfig config = config::load_valid("bench_cpu", {}, {"configs"});
  EXPECT_EQ(learned(unet_spec(config)), 6'989'891);
  EXPECT_EQ(config::global_batch(config), 16);
}

}  // namespace
}  // namespace core::model
