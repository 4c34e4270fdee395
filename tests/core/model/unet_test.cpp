// The network's size and shape, without reference files.
#include <gtest/gtest.h>

#include <cmath>

#include "core/model/initialise.h"
#include "core/model/unet.h"
#include "core/program/describe.h"
#include "core/program/differentiate.h"
#include "core/program/executor.h"

namespace core::model {
namespace {

struct Counts {
  std::int64_t learned, frozen;
  bool operator==(const Counts&) const = default;
  friend void PrintTo(const Counts& counts, std::ostream* out) { *out << counts.learned << " and " << counts.frozen; }
};

Counts parameters(const UNetSpec& spec) {
  Program program;
  const UNetInput input{.x = program.input("x", {1, spec.image_size, spec.image_size, spec.image_channels}),
                        .time = program.input("time", {1}),
                        .labels = spec.classes > 0 ? program.input("labels", {1}, program::Element::i64) : Tensor()};
  record_unet(program, spec, input, nullptr);
  return {program::parameter_count(program), program::parameter_count(program, program::Training::frozen)};
}

UNetSpec ncsnpp(int blocks) {
  return {.blocks = blocks,
          .filter = Filter::fir,
          .embedding = Embedding::fourier,
          .input_pyramid = Pyramid::residual,
          .unit_range = true};
}

UNetSpec adm64() {
  return {.image_size = 64,
          .channels = 192,
          .channel_multipliers = {1, 2, 3, 4},
          .blocks = 3,
          .attention_sizes = {32, 16, 8},
          .residual_scale = 1,
          .time_input = TimeInput::modulate,
          .up_attention = UpAttention::after_block,
          .head_channels = 64,
          .resampled_shortcut_conv = false};
}

TEST(UNet, ParameterCountsOfThePublishedNetworks) {
  EXPECT_EQ(parameters({.blocks = 4}), (Counts{61'804'419, 0}));
  EXPECT_EQ(parameters({.blocks = 8}), (Counts{106'632'579, 0}));
  EXPECT_EQ(parameters(ncsnpp(4)), (Counts{62'758'787, 128}));
  EXPECT_EQ(parameters(ncsnpp(8)), (Counts{107'586'947, 128}));
  EXPECT_EQ(parameters(adm64()), (Counts{295'131'267, 0}));
}

TEST(UNet, ClassesAddATableOfLabels) {
  UNetSpec spec = adm64();
  spec.classes = 1000;
  EXPECT_EQ(parameters(spec), (Counts{295'131'267 + 1000 * 4 * 192, 0}));
  spec.null_label = true;
  EXPECT_EQ(parameters(spec), (Counts{295'131'267 + 1001 * 4 * 192, 0}));
}

/// A network of odd widths, three levels, attention at two sizes, all gradients.
struct Small {
  explicit Small(std::int64_t n, program::Recompute recompute = program::Recompute::keep, float dropout = 0) {
    const UNetSpec spec{.image_size = 24,
                        .image_channels = 1,
                        .channels = 12,
                        .channel_multipliers = {1, 3, 2},
                        .blocks = 1,
                        .attention_sizes = {12, 6},
                        .dropout = dropout};
    x = program.input("x", {n, 24, 24, 1});
    label = program.input("label", {n});
    cotangent = program.input("cotangent", x.shape);
    const Tensor positions = program.input("positions", {n}, kernels::Element::i64);
    const DropoutKeys keys{7, positions};
    output = record_unet(program, spec, {.x = x, .time = label}, &keys).output;
    program.keep(output);
    std::vector<Tensor> wanted;
    for (const auto& parameter : program.parameters()) wanted.push_back(parameter.tensor);
    const program::Seed seeds[] = {{output, cotangent}};
    gradients = program::differentiate(program, seeds, wanted, {.recompute = recompute});
    executor = program::make_cpu_executor(program, {.threads = 1, .exchange = {}});
    for (const auto& parameter : program.parameters()) {
      weights.emplace_back(static_cast<std::size_t>(parameter.tensor.shape.elements()));
      computed.emplace_back(weights.back().size());
    }
    initialise(program, 3, [&](std::size_t i) { return std::span(weights[i]); });
    for (std::size_t i = 0; i < weights.size(); ++i) {
      executor->bind(program.parameters()[i].tensor, weights[i]);
      executor->bind(gradients[i], computed[i]);
    }
    std::vector<float> images(static_cast<std::size_t>(x.shape.elements())), labels;
    for (std::size_t i = 0; i < images.size(); ++i)
      images[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i)));
    std::vector<std::int64_t> keys_of_images;
    for (std::int64_t i = 0; i < n; ++i) {
      labels.push_back(static_cast<float>(100 * i + 5));
      keys_of_images.push_back(1000 + i);
    }
    executor->upload(x, std::span<const float>(images));
    executor->upload(cotangent, std::span<const float>(images));
    executor->upload(label, std::span<const float>(labels));
    executor->upload(positions, std::span<const std::int64_t>(keys_of_images));
  }
  std::vector<float> run() {
    executor->run();
    std::vector<float> values(static_cast<std::size_t>(output.shape.elements()));
    executor->download(output, std::span<float>(values));
    return values;
  }
  void enlarge_zero_weights() {
    for (auto& tensor : weights) {
      for (std::size_t i = 0; i < tensor.size(); ++i)
        tensor[i] += 0.1f * static_cast<float>(std::cos(static_cast<double>(i)));
    }
  }

  Program program;
  Tensor x, label, cotangent, output;
  std::vector<Tensor> gradients;
  std::unique_ptr<program::Executor> executor;
  std::vector<std::vector<float>> weights, computed;
};

TEST(UNet, StartsAtAlmostZero) {
  Small small(2);
  for (float value : small.run()) EXPECT_LT(std::abs(value), 1e-3);
}

TEST(UNet, AnImageDoesNotSeeTheOthersOfItsBatch) {
  Small one(1), three(3);
  one.enlarge_zero_weights();
  three.enlarge_zero_weights();
  const auto alone = one.run(), together = three.run();
  for (std::size_t i = 0; i < alone.size(); ++i)
    ASSERT_NEAR(alone[i], together[i], 1e-5 * (1 + std::abs(alone[i]))) << i;
}

TEST(UNet, RecomputingBlocksGivesTheSameBitsInLessMemory) {
  Small kept(2, program::Recompute::keep, 0.3f), again(2, program::Recompute::segments, 0.3f);
  kept.enlarge_zero_weights();
  again.enlarge_zero_weights();
  EXPECT_EQ(kept.run(), again.run());
  EXPECT_EQ(kept.computed, again.computed);
  EXPECT_LT(again.executor->plan().arena_bytes, kept.executor->plan().arena_bytes);
}

TEST(UNet, GradientsOfEveryParameterAgainstFiniteDifferences) {
  Small small(2, program::Recompute::keep, 0.3f);
  small.enlarge_zero_weights();
  std::vector<float> cotangent(static_cast<std::size_t>(small.x.shape.elements()));
  for (std::size_t i = 0; i < cotangent.size(); ++i)
    cotangent[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i)));
  const auto value = [&] {
    const auto output = small.run();
    double sum = 0;
    for (std::size_t i = 0; i < output.size(); ++i) sum += static_cast<double>(output[i]) * cotangent[i];
    return sum;
  };
  value();
  const auto gradients = small.computed;
  for (std::size_t p = 0; p < small.weights.size(); ++p) {
    // Along the gradient itself, so that rounding is small beside the difference.
    const std::vector<float> start = small.weights[p];
    double norm = 0;
    for (float g : gradients[p]) norm += static_cast<double>(g) * g;
    norm = std::sqrt(norm);
    const double step = 2e-3;
    double values[2];
    for (int side : {0, 1}) {
      for (std::size_t i = 0; i < start.size(); ++i) {
        small.weights[p][i] = static_cast<float>(start[i] + (side ? step : -step) * gradients[p][i] / norm);
      }
      values[side] = value();
    }
    small.weights[p] = start;
    EXPECT_NEAR((values[1] - values[0]) / (2 * step), norm, 0.02 * norm + 0.02) << small.program.parameters()[p].name;
  }
}

}  // namespace
}  // namespace core::model
