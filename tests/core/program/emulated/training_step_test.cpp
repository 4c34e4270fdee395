// A network's training step on the emulated GPU is that of the CPU.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/config/load.h"
#include "core/model/initialise.h"
#include "core/objective/training_program.h"
#include "core/program/executor.h"
#include "core/program/storage.h"
#include "kernels/simt/emulated_device.h"
#include "tests/core/program/emulated/device_floats.h"

namespace core::objective {
namespace {

using program::test::DeviceFloats;
using Values = std::vector<float>;

constexpr int images = 3;

config::RunConfig config_of(const std::string& more) {
  return config::load_valid(
      "configs/quickstart.textproto",
      {"model { channels: 8 channel_multipliers: [1, 2] blocks: 1 attention_sizes: 4 dropout: 0.1 } "
       "data { image_size: 8 horizontal_flip: true } training { micro_batches: 1 "
       "micro_batch_images: 3 }",
       more},
      {});
}

struct Result {
  Values losses, times;
  std::vector<Values> gradients;
};

Result train(const TrainingProgram& training, std::shared_ptr<kernels::Device> device) {
  program::Executor executor(training.program, device);
  std::vector<Values> start;
  for (const program::Parameter& parameter : training.program.parameters())
    start.emplace_back(static_cast<std::size_t>(parameter.tensor.shape.elements()));
  model::initialise(training.program, 3, [&](std::size_t i) { return std::span(start[i]); });
  std::vector<DeviceFloats> weights, gradients;
  for (std::size_t i = 0; i < start.size(); ++i) {
    // Weights that start at 0 would let nothing behind them be seen.
    for (std::size_t j = 0; j < start[i].size(); ++j)
      start[i][j] += 0.02f * static_cast<float>((i + 7 * j) % 11) - 0.1f;
    weights.emplace_back(*device, start[i]);
    gradients.emplace_back(*device, Values(start[i].size()));
    executor.bind(training.program.parameters()[i].tensor, weights[i].span());
    executor.bind(training.gradients[i], gradients[i].span());
  }
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(training.pixels.shape.elements()));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * i % 251);
  executor.upload(training.pixels, std::span<const std::uint8_t>(pixels));
  std::vector<std::int64_t> positions(images), labels(images, 1);
  std::iota(positions.begin(), positions.end(), 1000);
  executor.upload(training.positions, std::span<const std::int64_t>(positions));
  if (training.labels) executor.upload(training.labels, std::span<const std::int64_t>(labels));
  executor.upload(training.loss_gradient, std::span<const float>(Values(images, 0.5f)));
  executor.run();
  Result result{.losses = Values(images), .times = Values(images), .gradients = {}};
  executor.download(training.loss, std::span(result.losses));
  executor.download(training.time, std::span(result.times));
  for (const DeviceFloats& gradient : gradients) result.gradients.push_back(gradient.values());
  return result;
}

/// As a share of the largest wanted.
void expect_close(const Values& got, const Values& wanted, float tolerance, const std::string& what) {
  float largest = 0, difference = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    largest = std::max(largest, std::abs(wanted[i]));
    difference = std::max(difference, std::abs(got[i] - wanted[i]));
    ASSERT_TRUE(std::isfinite(got[i])) << what;
  }
  EXPECT_LE(difference, tolerance * largest) << what;
}

void expect_same_step(const std::string& more) {
  const TrainingProgram training = record_training(config_of(more));
  const Result cpu = train(training, kernels::make_cpu_device(1)),
               gpu = train(training, kernels::simt::make_emulated_device(std::size_t{1} << 30));
  expect_close(gpu.times, cpu.times, 1e-6f, "times");
  expect_close(gpu.losses, cpu.losses, 2e-6f, "losses");
  for (std::size_t i = 0; i < cpu.gradients.size(); ++i)
    expect_close(gpu.gradients[i], cpu.gradients[i], 5e-5f, training.program.parameters()[i].name);
}

double norm(const std::vector<Values>& all) {
  double sum = 0;
  for (const Values& values : all)
    for (const float value : values) sum += double{value} * value;
  return std::sqrt(sum);
}

TEST(EmulatedTrainingStep, InBf16IsNearlyThatInF32) {
  TrainingProgram training = record_training(config_of(""));
  const auto device = kernels::simt::make_emulated_device(std::size_t{1} << 30);
  const Result wide = train(training, device);
  training.program = program::stored(std::move(training.program), program::Storage::bf16);
  const Result narrow = train(training, device);
  expect_close(narrow.times, wide.times, 0, "times");
  expect_close(narrow.losses, wide.losses, 1e-2f, "losses");
  std::vector<Values> difference = narrow.gradients;
  for (std::size_t i = 0; i < difference.size(); ++i)
    for (std::size_t j = 0; j < difference[i].size(); ++j) difference[i][j] -= wide.gradients[i][j];
  const double share = norm(difference) / norm(wide.gradients);
  EXPECT_LT(share, 0.05);
  EXPECT_GT(share, 1e-4) << "something was rounded";
}

TEST(EmulatedTrainingStep, InBf16IsTheSameWithEveryTile) {
  TrainingProgram training = record_training(config_of(""));
  training.program = program::stored(std::move(training.program), program::Storage::bf16);
  std::vector<Result> results;
  for (const kernels::TileSize tile : kernels::tile_sizes) {
    const auto device = kernels::simt::make_emulated_device(std::size_t{1} << 30);
    int chosen = 0;
    device->choose_tiles([&](const kernels::ProductShape&) {
      ++chosen;
      return tile;
    });
    results.push_back(train(training, device));
    EXPECT_GT(chosen, 10);
  }
  expect_close(results[1].losses, results[0].losses, 1e-3f, "losses");
  std::vector<Values> difference = results[1].gradients;
  for (std::size_t i = 0; i < difference.size(); ++i)
    for (std::size_t j = 0; j < difference[i].size(); ++j) difference[i][j] -= results[0].gradients[i][j];
  EXPECT_LT(norm(difference), 1e-2 * norm(results[0].gradients));
}

TEST(EmulatedTrainingStep, OfDdpmpp) {
  expect_same_step("");
}

TEST(EmulatedTrainingStep, RecomputingBlocks) {
  expect_same_step("training { recompute: BLOCKS }");
}

TEST(EmulatedTrainingStep, OfNcsnppWithClasses) {
  expect_same_step(
      "sde { kind: VE } model { filter: FIR time_embedding: FOURIER input_pyramid: RESIDUAL_PYRAMID time_input: "
      "MODULATE classes: 3 null_label_probability: 0.1 }");
}

}  // namespace
}  // namespace core::objective
