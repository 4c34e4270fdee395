// The network's size and shape, without reference files.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <ostream>

#include "core/model/initialise.h"
#include "core/model/unet.h"
#include "core/program/describe.h"
#include "core/program/differentiate.h"
#include "tests/core/program/cpu_executor.h"

namespace core::model {
namespace {

struct Counts {
  std::int64_t learned, frozen;
  bool operator==(const Counts&) const = default;
  friend void PrintTo(const Counts& counts, std::ostream* out) { *out << counts.learned << " and " << counts.frozen; }
};

Counts parameters(const UNetSpec& spec) {
  Program program;
  record_unet(program, spec, unet_input(program, spec, 1), nullptr);
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

UNetSpec vdm(int size, int channels, int blocks) {
  return {.image_size = size,
          .channels = channels,
          .channel_multipliers = {1},
          .blocks = blocks,
          .attention_sizes = {},
          .residual_scale = 1,
          .up_attention = UpAttention::after_block,
          .fourier_features = 2,
          .time_bias = false,
          .adds_input = true,
          .told_mirrored = true};
}

TEST(UNet, ParameterCountsOfThePublishedNetworks) {
  EXPECT_EQ(parameters({.blocks = 4}), (Counts{61'804'419, 0}));
  EXPECT_EQ(parameters({.blocks = 8}), (Counts{106'632'579, 0}));
  EXPECT_EQ(parameters(ncsnpp(4)), (Counts{62'758'787, 128}));
  EXPECT_EQ(parameters(ncsnpp(8)), (Counts{107'586'947, 128}));
  EXPECT_EQ(parameters(adm64()), (Counts{295'131'267, 0}));
  EXPECT_EQ(parameters(vdm(32, 128, 32)), (Counts{30'578'179, 0}));
  EXPECT_EQ(parameters(vdm(32, 256, 32)), (Counts{122'137'603, 0}));
  UNetSpec attentive = vdm(32, 256, 32);
  attentive.attention_sizes = {32};
  EXPECT_EQ(parameters(attentive), (Counts{139'276'803, 0}));
  EXPECT_EQ(parameters(vdm(64, 256, 64)), (Counts{237'603'843, 0}));
  // EDM's SongUNet, told as 55.7 million: 55,733,891 with its 9 x 128 weights for augmentation labels.
  EXPECT_EQ(parameters({.channel_multipliers = {2, 2, 2}, .blocks = 4}), (Counts{55'733'891 - 9 * 128, 0}));
}

TEST(UNet, ClassesAddATableOfLabels) {
  UNetSpec spec = adm64();
  spec.classes = 1000;
  EXPECT_EQ(parameters(spec), (Counts{295'131'267 + 1000 * 4 * 192, 0}));
  spec.null_label = true;
  EXPECT_EQ(parameters(spec), (Counts{295'131'267 + 1001 * 4 * 192, 0}));
}

/// A network of odd widths, three levels, attention at two sizes.
UNetSpec odd() {
  return {.image_size = 24,
          .image_channels = 1,
          .channels = 12,
          .channel_multipliers = {1, 3, 2},
          .blocks = 1,
          .attention_sizes = {12, 6}};
}

UNetSpec with_dropout(UNetSpec spec, float rate) {
  spec.dropout = rate;
  return spec;
}

/// The network with all its gradients, those of the parameters and last the input's.
struct Small {
  explicit Small(std::int64_t n, program::Recompute recompute = program::Recompute::keep,
                 const UNetSpec& spec = odd()) {
    const UNetInput input = unet_input(program, spec, n);
    x = input.x;
    cotangent = program.input("cotangent", x.shape);
    const Tensor positions = program.input("positions", {n}, kernels::Element::i64);
    const DropoutKeys keys{7, positions};
    output = record_unet(program, spec, input, &keys).output;
    program.keep(output);
    std::vector<Tensor> wanted;
    for (const auto& parameter : program.parameters()) wanted.push_back(parameter.tensor);
    wanted.push_back(x);
    const program::Seed seeds[] = {{output, cotangent}};
    gradients = program::differentiate(program, seeds, wanted, {.recompute = recompute});
    program.keep(gradients.back());
    executor = program::test::make_cpu_executor(program, 1);
    for (const auto& parameter : program.parameters()) {
      weights.emplace_back(static_cast<std::size_t>(parameter.tensor.shape.elements()));
      computed.emplace_back(weights.back().size());
    }
    initialise(program, 3, [&](std::size_t i) { return std::span(weights[i]); });
    for (std::size_t i = 0; i < weights.size(); ++i) {
      executor->bind(program.parameters()[i].tensor, weights[i]);
      executor->bind(gradients[i], computed[i]);
    }
    images.resize(static_cast<std::size_t>(x.shape.elements()));
    for (std::size_t i = 0; i < images.size(); ++i)
      images[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i)));
    std::vector<float> times;
    std::vector<std::int64_t> keys_of_images, classes;
    for (std::int64_t i = 0; i < n; ++i) {
      times.push_back(static_cast<float>(100 * i + 5));
      keys_of_images.push_back(1000 + i);
      classes.push_back((2 * i + 1) % std::max(1, spec.labels()));
    }
    executor->upload(x, std::span<const float>(images));
    executor->upload(cotangent, std::span<const float>(images));
    executor->upload(input.time, std::span<const float>(times));
    executor->upload(positions, std::span<const std::int64_t>(keys_of_images));
    if (input.labels) executor->upload(input.labels, std::span<const std::int64_t>(classes));
    const std::vector<float> mirrored(static_cast<std::size_t>(n), 1.0f);
    if (input.mirrored) executor->upload(input.mirrored, std::span<const float>(mirrored));
  }
  std::vector<float> run() {
    executor->run();
    std::vector<float> values(static_cast<std::size_t>(output.shape.elements()));
    executor->download(output, std::span<float>(values));
    return values;
  }
  void enlarge_zero_weights() {
    for (std::size_t p = 0; p < weights.size(); ++p) {
      std::vector<float>& tensor = weights[p];
      if (program.parameters()[p].training == program::Training::frozen) continue;
      for (std::size_t i = 0; i < tensor.size(); ++i)
        tensor[i] += 0.1f * static_cast<float>(std::cos(static_cast<double>(i)));
    }
  }

  Program program;
  Tensor x, cotangent, output;
  std::vector<Tensor> gradients;
  std::unique_ptr<program::Executor> executor;
  std::vector<float> images;
  std::vector<std::vector<float>> weights, computed;
};

struct Named {
  const char* name;
  UNetSpec spec;
  friend void PrintTo(const Named& named, std::ostream* out) { *out << named.name; }
};
class Variant : public testing::TestWithParam<Named> {};

TEST(UNet, StartsAtAlmostZero) {
  Small small(2);
  for (float value : small.run()) EXPECT_LT(std::abs(value), 1e-3);
}

TEST(UNet, StartsAtItsInputWhereThatIsAdded) {
  UNetSpec spec = odd();
  spec.adds_input = true;
  Small small(2, program::Recompute::keep, spec);
  const auto output = small.run();
  for (std::size_t i = 0; i < output.size(); ++i) EXPECT_NEAR(output[i], small.images[i], 1e-3);
}

TEST_P(Variant, AnImageDoesNotSeeTheOthersOfItsBatch) {
  Small one(1, program::Recompute::keep, GetParam().spec), three(3, program::Recompute::keep, GetParam().spec);
  one.enlarge_zero_weights();
  three.enlarge_zero_weights();
  const auto alone = one.run(), together = three.run();
  for (std::size_t i = 0; i < alone.size(); ++i)
    ASSERT_NEAR(alone[i], together[i], 1e-5 * (1 + std::abs(alone[i]))) << i;
}

TEST_P(Variant, RecomputingBlocksGivesTheSameBitsInLessMemory) {
  const UNetSpec spec = with_dropout(GetParam().spec, 0.3f);
  Small kept(2, program::Recompute::keep, spec), again(2, program::Recompute::segments, spec);
  kept.enlarge_zero_weights();
  again.enlarge_zero_weights();
  EXPECT_EQ(kept.run(), again.run());
  EXPECT_EQ(kept.computed, again.computed);
  EXPECT_LT(again.executor->plan().arena_bytes, kept.executor->plan().arena_bytes);
}

/// The slope of `value` along the unit vector of `gradient` at `point`, by central differences.
double slope(std::vector<float>& point, const std::vector<float>& gradient, double norm,
             const std::function<double()>& value) {
  const std::vector<float> start = point;
  const double step = 2e-3;
  double values[2];
  for (int side : {0, 1}) {
    for (std::size_t i = 0; i < start.size(); ++i)
      point[i] = static_cast<float>(start[i] + (side ? step : -step) * gradient[i] / norm);
    values[side] = value();
  }
  point = start;
  return (values[1] - values[0]) / (2 * step);
}

double norm_of(const std::vector<float>& values) {
  double squares = 0;
  for (float value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

// Along the gradient itself, so that rounding is small beside the difference.
TEST_P(Variant, GradientsAgainstFiniteDifferences) {
  Small small(2, program::Recompute::keep, with_dropout(GetParam().spec, 0.3f));
  small.enlarge_zero_weights();
  const std::vector<float> cotangent = small.images;
  const auto value = [&] {
    small.executor->upload(small.x, std::span<const float>(small.images));
    const auto output = small.run();
    double sum = 0;
    for (std::size_t i = 0; i < output.size(); ++i) sum += static_cast<double>(output[i]) * cotangent[i];
    return sum;
  };
  const double size = std::abs(value());
  const auto gradients = small.computed;
  std::vector<float> of_input(small.images.size());
  small.executor->download(small.gradients.back(), std::span(of_input));
  for (std::size_t p = 0; p < small.weights.size(); ++p) {
    const auto& parameter = small.program.parameters()[p];
    const double norm = norm_of(gradients[p]);
    if (parameter.training == program::Training::frozen) {
      EXPECT_EQ(norm, 0) << parameter.name;
      continue;
    }
    EXPECT_NEAR(slope(small.weights[p], gradients[p], norm, value), norm, 0.02 * norm + 0.02 + 1e-4 * size)
        << parameter.name;
  }
  const double norm = norm_of(of_input);
  EXPECT_NEAR(slope(small.images, of_input, norm, value), norm, 0.02 * norm + 0.02 + 1e-4 * size);
}

std::vector<Named> variants() {
  UNetSpec skips = odd(), joined = odd(), modulated = odd(), sums = odd();
  skips.block = Block::ddpm;
  skips.filter = Filter::fir;
  skips.embedding = Embedding::fourier;
  skips.input_pyramid = skips.output_pyramid = Pyramid::skip;
  joined.filter = Filter::fir;
  joined.input_pyramid = Pyramid::skip;
  joined.combine = Combine::concatenate;
  joined.output_pyramid = Pyramid::residual;
  joined.unit_range = true;
  modulated.time_input = TimeInput::modulate;
  modulated.up_attention = UpAttention::after_block;
  modulated.head_channels = 4;
  modulated.resampled_shortcut_conv = false;
  modulated.residual_scale = 1;
  modulated.classes = 3;
  modulated.null_label = true;
  sums.block = Block::ddpm;
  sums.input_pyramid = sums.output_pyramid = Pyramid::residual;
  sums.prediction = Prediction::score;
  UNetSpec features = odd();
  features.fourier_features = 2;
  features.first_fourier_exponent = -1;
  features.time_bias = false;
  features.adds_input = true;
  features.told_mirrored = true;
  return {{"features", features}, {"plain", odd()},         {"skips", skips},
          {"joined", joined},     {"modulated", modulated}, {"sums", sums}};
}

INSTANTIATE_TEST_SUITE_P(UNet, Variant, testing::ValuesIn(variants()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace core::model
