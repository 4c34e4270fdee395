#include "distributed/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/config/load.h"

namespace distributed {
namespace {

core::config::RunConfig config_with(const std::string& override) {
  return core::config::load_valid(
      "quickstart", {"training { steps: 100 } optimizer { learning_rate: 0.1 warmup_steps: 10 }", override},
      {"configs"});
}

TEST(LearningRate, WarmsUpLinearlyAndFallsAsACosine) {
  const auto cosine = config_with("");
  EXPECT_NEAR(learning_rate(cosine, 0), 0.01, 1e-12);
  EXPECT_NEAR(learning_rate(cosine, 4), 0.05, 1e-12);
  EXPECT_NEAR(learning_rate(cosine, 9), 0.1, 1e-12);
  EXPECT_NEAR(learning_rate(cosine, 54), 0.05, 1e-12);  // half of the 90 steps after the warm-up
  EXPECT_NEAR(learning_rate(cosine, 99), 0, 1e-12);
  const auto constant = core::config::load_valid(
      "quickstart", {"optimizer { learning_rate: 0.1 warmup_steps: 0 decay: CONSTANT }"}, {"configs"});
  EXPECT_EQ(learning_rate(constant, 0), 0.1);
  EXPECT_EQ(learning_rate(constant, 1000), 0.1);
}

TEST(EmaDecay, MayWarmUp) {
  auto config = config_with("optimizer { ema: 0.999 ema_warmup: true }");
  EXPECT_NEAR(ema_decay(config.optimizer(), 0), 0.1, 1e-12);
  EXPECT_NEAR(ema_decay(config.optimizer(), 90), 0.91, 1e-12);
  EXPECT_EQ(ema_decay(config.optimizer(), 1000000), 0.999);
  config.mutable_optimizer()->set_ema_warmup(false);
  EXPECT_EQ(ema_decay(config.optimizer(), 0), 0.999);
}

TEST(Optimizer, FollowsTheTextbookAndClipsByTheNorm) {
  const auto config = config_with("optimizer { gradient_clip: 2 ema: 0.9 ema_warmup: false beta1: 0.8 beta2: 0.95 }");
  const NamedShape shapes[] = {{"w", {3}}};
  for (const Sharding sharding : {Sharding::none, Sharding::optimizer}) {
    Parameters parameters(make_layout(shapes), sharding, 0, 1);
    const auto device = kernels::make_cpu_device(1);
    const MirroredParameters on_device(parameters, device);
    Optimizer optimizer(config, on_device, parameters.range(), device);
    double w = 0.7, m = 0, v = 0, ema = 0.7;
    parameters.weights()[1] = 0.7f;
    parameters.ema()[1] = 0.7f;
    for (int step = 0; step < 6; ++step) {
      const double norm = step % 2 == 0 ? 0.5 : 8.0, g = 0.3 * (step + 1);
      parameters.gradient()[1] = static_cast<float>(g);
      optimizer.step(step, norm);
      const double clipped = norm > 2 ? g * 2 / norm : g;
      m = 0.8 * m + 0.2 * clipped;
      v = 0.95 * v + 0.05 * clipped * clipped;
      w -= learning_rate(config, step) * m / (1 - std::pow(0.8, step + 1)) /
           (std::sqrt(v / (1 - std::pow(0.95, step + 1))) + 1e-8);
      ema = 0.9 * ema + 0.1 * w;
      EXPECT_NEAR(parameters.weights()[1], w, 1e-6) << step;
      EXPECT_NEAR(parameters.ema()[1], ema, 1e-6) << step;
      EXPECT_EQ(parameters.weights()[0], 0) << "no gradient, no change";
    }
  }
}

}  // namespace
}  // namespace distributed
