// The training step against what must come out of it: the loss of a network that says nothing, and the law of its times
// (math: E|z|^2 = D; times uniform in log-SNR, one in each of equal strata of the global batch).
#include "core/objective/training_program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/config/load.h"
#include "core/sde/sde.h"
#include "tests/core/program/cpu_executor.h"

namespace core::objective {
namespace {

constexpr int micro_batches = 4, images = 8, steps = 40;

config::RunConfig config_of(const std::string& more) {
  return config::load_valid("configs/quickstart.textproto",
                            {"model { channels: 8 channel_multipliers: [1, 2] attention_sizes: 4 } data { image_size: "
                             "8 } training { micro_batches: 4 micro_batch_images: 8 } " +
                             more},
                            {});
}

struct Drawn {
  std::vector<float> losses, times;  // of all images, step by step
};

/// Some steps of training with all weights zero, which changes none.
Drawn train_on_nothing(const config::RunConfig& config) {
  TrainingProgram training = record_training(config);
  const auto executor = program::test::make_cpu_executor(training.program, 1);
  std::vector<std::vector<float>> memory;
  for (std::size_t i = 0; i < training.gradients.size(); ++i) {
    const program::Tensor& parameter = training.program.parameters()[i].tensor;
    for (const program::Tensor& tensor : {parameter, training.gradients[i]}) {
      memory.emplace_back(static_cast<std::size_t>(tensor.shape.elements()), 0.0f);
      executor->bind(tensor, memory.back());
    }
  }
  const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(training.pixels.shape.elements()), 100);
  executor->upload(training.pixels, std::span<const std::uint8_t>(pixels));
  const std::vector<float> share(images, 1.0f);
  executor->upload(training.loss_gradient, std::span<const float>(share));
  Drawn drawn;
  std::vector<std::int64_t> positions(images);
  std::vector<float> found(images);
  for (std::int64_t first = 0; first < steps * micro_batches * images; first += images) {
    std::iota(positions.begin(), positions.end(), first);
    executor->upload(training.positions, std::span<const std::int64_t>(positions));
    executor->run();
    executor->download(training.loss, std::span(found));
    drawn.losses.insert(drawn.losses.end(), found.begin(), found.end());
    executor->download(training.time, std::span(found));
    drawn.times.insert(drawn.times.end(), found.begin(), found.end());
  }
  return drawn;
}

TEST(TrainingProgram, ANetworkThatSaysNothingLosesOnePerDimension) {
  for (const char* kind : {"VP", "SUB_VP", "VE"}) {
    const auto drawn = train_on_nothing(
        config_of(std::string("objective { weighting: SIMPLE time_sampling: UNIFORM } sde { kind: ") + kind + " }"));
    const auto n = static_cast<double>(drawn.losses.size());
    const double mean = std::accumulate(drawn.losses.begin(), drawn.losses.end(), 0.0) / n;
    EXPECT_NEAR(mean, 1, 3 * std::sqrt(2 / (n * 64))) << kind;
  }
}

TEST(TrainingProgram, TimesAreUniformInLogSnrAndOneInEachStratum) {
  for (const char* kind : {"VP", "SUB_VP", "VE"}) {
    const config::RunConfig config = config_of(std::string("sde { kind: ") + kind + " }");
    const kernels::TimeLaw law = sde::time_law(config);
    const double high = kernels::log_snr(law.sde, law.smallest_time), low = kernels::log_snr(law.sde, 1.0);
    std::vector<double> u;
    for (const float time : train_on_nothing(config).times)
      u.push_back((kernels::log_snr(law.sde, static_cast<double>(time)) - low) / (high - low));
    constexpr std::ptrdiff_t batch = micro_batches * images;
    for (std::ptrdiff_t step = 0; step < steps; ++step) {
      std::vector<double> of_step(u.begin() + step * batch, u.begin() + (step + 1) * batch);
      std::ranges::sort(of_step);
      for (std::ptrdiff_t i = 1; i < batch; ++i)  // a random shift for all: equal distances
        ASSERT_NEAR(of_step[static_cast<std::size_t>(i)] - of_step[static_cast<std::size_t>(i - 1)],
                    1.0 / static_cast<double>(batch), 1e-4)
            << kind << " step " << step;
    }
    // Kolmogorov and Smirnov over the steps' shifts, the 1 % point.
    std::vector<double> shifts;
    for (std::ptrdiff_t step = 0; step < steps; ++step)
      shifts.push_back(*std::min_element(u.begin() + step * batch, u.begin() + (step + 1) * batch) * batch);
    std::ranges::sort(shifts);
    double distance = 0;
    for (std::size_t i = 0; i < shifts.size(); ++i)
      distance = std::max(
          {distance, shifts[i] - static_cast<double>(i) / steps, static_cast<double>(i + 1) / steps - shifts[i]});
    EXPECT_LT(distance * std::sqrt(steps), 1.63) << kind;
  }
}

}  // namespace
}  // namespace core::objective
