// The network as a score, against the reference's own likelihoods and against finite differences.
#include "core/objective/score_network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/likelihood/estimate.h"
#include "core/model/initialise.h"
#include "core/model/reference.h"
#include "kernels/philox.h"
#include "tests/shared_data.h"

namespace core::objective {
namespace {

/// [c,h,w] of image n to [h,w,c].
std::vector<double> nhwc(const model::NamedTensor& t, std::int64_t n) {
  const std::int64_t c = t.shape[1], pixels = t.shape[2] * t.shape[3];
  std::vector<double> out;
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t k = 0; k < c; ++k) out.push_back(t.values[static_cast<std::size_t>((n * c + k) * pixels + p)]);
  }
  return out;
}

class Reference : public testing::TestWithParam<const char*> {};

TEST_P(Reference, OdeLikelihoodAndLatent) {
  const auto file = model::read_safetensors(tests::shared(std::string("fixtures/") + GetParam()));
  const model::UNetSpec spec = model::reference_spec(file.metadata);
  const kernels::Sde sde{.kind = file.metadata.at("sde") == "VPSDE" ? kernels::SdeKind::vp : kernels::SdeKind::sub_vp};
  ScoreNetwork network(spec, sde, 3, kernels::make_cpu_device(2));
  program::Program program;
  const auto x = program.input("x", {1, spec.image_size, spec.image_size, 3});
  const auto reference =
      model::record_unet(program, spec, {.x = x, .time = program.input("label", {1})}, nullptr).reference;
  std::vector<std::vector<float>> weights;
  for (std::size_t p = 0; p < reference.size(); ++p) {
    weights.push_back(model::from_reference(file, "param.", reference[p], network.parameters()[p].tensor.shape));
  }
  for (std::size_t p = 0; p < reference.size(); ++p) network.bind(p, weights[p]);

  const auto start = [&](std::int64_t i, std::span<double> image, std::span<double> probe) {
    const auto x0 = nhwc(file.tensors.at("x0"), i), v = nhwc(file.tensors.at("hutchinson_epsilon"), i);
    std::copy(x0.begin(), x0.end(), image.begin());
    std::copy(v.begin(), v.end(), probe.begin());
  };
  std::vector<std::vector<double>> latents(3);
  const auto results =
      likelihood::ode_continuous(network.score(), {.sde = sde, .smallest_time = 1e-5, .ode_tolerance = 1e-5}, 3, start,
                                 [&](std::int64_t i, std::span<const double> z) {
                                   latents[static_cast<std::size_t>(i)].assign(z.begin(), z.end());
                                 });
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_NEAR(likelihood::bits_per_dim(results[at].nats, 768), file.tensors.at("ode_bpd").values[at], 1e-2);
    const auto expected = nhwc(file.tensors.at("ode_latent"), i);
    double difference = 0, size = 0;
    for (std::size_t d = 0; d < expected.size(); ++d) {
      difference += std::pow(latents[at][d] - expected[d], 2);
      size += expected[d] * expected[d];
    }
    EXPECT_LT(std::sqrt(difference / size), 5e-2);  // both solvers stop at 1e-5 a step of a stiff flow
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ddpmpp, Reference,
    testing::ValuesIn(tests::present({"ddpmpp_vp.safetensors", "ddpmpp_subvp.safetensors"}, "fixtures/")),
    [](const auto& info) { return std::string(info.param).substr(0, std::string(info.param).find('.')); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Reference);

/// A small network whose weights are no one's choice.
struct Untrained {
  Untrained(const kernels::Sde& sde, std::int64_t batch)
      : network({.image_size = 8,
                 .image_channels = 1,
                 .channels = 8,
                 .channel_multipliers = {1, 2},
                 .blocks = 1,
                 .attention_sizes = {4}},
                sde, batch, kernels::make_cpu_device(1)) {
    for (std::size_t p = 0; p < network.parameters().size(); ++p) {
      weights.emplace_back(static_cast<std::size_t>(network.parameters()[p].tensor.shape.elements()));
      for (std::size_t i = 0; i < weights[p].size(); ++i)
        weights[p][i] = 0.2f * static_cast<float>(std::sin(static_cast<double>(p + 3 * i)));
      network.bind(p, weights[p]);
    }
  }
  std::vector<std::vector<float>> weights;
  ScoreNetwork network;
};

TEST(ScoreNetwork, TraceAgreesWithFiniteDifferencesAndCallsOfAnySizeAgree) {
  const kernels::Sde sde{.kind = kernels::SdeKind::vp};
  Untrained untrained(sde, 11);
  ScoreNetwork& network = untrained.network;
  const std::size_t n = 11, d = 64;
  std::vector<double> t(n), x(n * d), v(n * d), score(n * d), ahead(n * d), behind(n * d), same(n * d), trace(n);
  for (std::size_t i = 0; i < n; ++i) t[i] = 0.05 + 0.08 * static_cast<double>(i);
  for (std::size_t i = 0; i < n * d; ++i) x[i] = std::cos(0.7 * static_cast<double>(i)), v[i] = i % 3 == 0 ? -1 : 1;
  const auto network_score = network.score();
  network_score.with_trace(t, x, v, score, trace);
  network_score.value(t, x, same);
  EXPECT_EQ(score, same);
  const double h = 1e-2;
  std::vector<double> moved = x;
  for (std::size_t i = 0; i < n * d; ++i) moved[i] = x[i] + h * v[i];
  network_score.value(t, moved, ahead);
  for (std::size_t i = 0; i < n * d; ++i) moved[i] = x[i] - h * v[i];
  network_score.value(t, moved, behind);
  for (std::size_t image = 0; image < n; ++image) {
    double expected = 0, size = 0;
    for (std::size_t i = image * d; i < (image + 1) * d; ++i) {
      expected += v[i] * (ahead[i] - behind[i]) / (2 * h);
      size += std::abs(ahead[i] - behind[i]) / (2 * h);
    }
    EXPECT_NEAR(trace[image], expected, 2e-3 * size) << image;
  }
  // One image alone has the bits that it has in company.
  std::vector<double> alone(d);
  network_score.value(std::span(t).subspan(9, 1), std::span(x).subspan(9 * d, d), alone);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), score.begin() + 9 * d));
}

TEST(ScoreNetwork, AnImageHasTheSameBitsAtEveryPlaceOfABatch) {
  const kernels::Sde sde{.kind = kernels::SdeKind::vp};
  ScoreNetwork network({.image_size = 16,
                        .image_channels = 1,
                        .channels = 32,
                        .channel_multipliers = {1, 2},
                        .blocks = 1,
                        .attention_sizes = {8}},
                       sde, 8, kernels::make_cpu_device(1));
  std::vector<std::vector<float>> weights;
  for (std::size_t p = 0; p < network.parameters().size(); ++p) {
    weights.emplace_back(static_cast<std::size_t>(network.parameters()[p].tensor.shape.elements()));
    for (std::size_t i = 0; i < weights[p].size(); ++i)
      weights[p][i] = 0.1f * static_cast<float>(std::sin(static_cast<double>(p + 3 * i)));
  }
  for (std::size_t p = 0; p < weights.size(); ++p) network.bind(p, weights[p]);
  constexpr std::size_t d = 256;
  std::vector<double> t(8, 0.3), x(8 * d), v(8 * d), score(8 * d), trace(8);
  for (std::size_t i = 0; i < 8 * d; ++i) x[i] = std::cos(0.7 * static_cast<double>(i)), v[i] = i % 3 == 0 ? -1 : 1;
  std::vector<double> first, first_trace;
  for (std::size_t place = 0; place < 8; ++place) {
    std::vector<double> mixed = x, probes = v;
    std::copy_n(x.begin(), d, mixed.begin() + static_cast<std::ptrdiff_t>(place * d));
    std::copy_n(v.begin(), d, probes.begin() + static_cast<std::ptrdiff_t>(place * d));
    network.score().with_trace(t, mixed, probes, score, trace);
    const std::vector<double> own(score.begin() + static_cast<std::ptrdiff_t>(place * d),
                                  score.begin() + static_cast<std::ptrdiff_t>((place + 1) * d));
    if (place == 0) first = own, first_trace = {trace[0]};
    EXPECT_EQ(own, first) << place;
    EXPECT_EQ(trace[place], first_trace[0]) << place;
  }
}

/// A small network with two classes, all weights distinct.
struct Conditional {
  explicit Conditional(bool null_label)
      : network({.image_size = 8,
                 .image_channels = 1,
                 .channels = 8,
                 .channel_multipliers = {1, 2},
                 .blocks = 1,
                 .attention_sizes = {4},
                 .classes = 2,
                 .null_label = null_label},
                {.kind = kernels::SdeKind::vp}, 11, kernels::make_cpu_device(1)) {
    for (std::size_t p = 0; p < network.parameters().size(); ++p) {
      weights.emplace_back(static_cast<std::size_t>(network.parameters()[p].tensor.shape.elements()));
      for (std::size_t i = 0; i < weights[p].size(); ++i)
        weights[p][i] = 0.2f * static_cast<float>(std::sin(static_cast<double>(p + 3 * i)));
    }
    for (std::size_t p = 0; p < weights.size(); ++p) network.bind(p, weights[p]);
    for (std::size_t i = 0; i < images; ++i) t.push_back(0.05 + 0.08 * static_cast<double>(i));
    for (std::size_t i = 0; i < images * dims; ++i) x.push_back(std::cos(0.7 * static_cast<double>(i)));
  }
  std::vector<double> value(const likelihood::Score& score) const {
    std::vector<double> values(x.size());
    score.value(t, x, values);
    return values;
  }

  static constexpr std::size_t images = 11, dims = 64;
  ScoreNetwork network;
  std::vector<std::vector<float>> weights;
  std::vector<double> t, x;
};

TEST(ScoreNetwork, GivesEachImageTheScoreOfItsLabel) {
  Conditional c(true);
  ASSERT_EQ(c.network.null_label(), 2);
  const std::vector<double> of_label[] = {c.value(c.network.score(0)), c.value(c.network.score(1)),
                                          c.value(c.network.score(2))};
  EXPECT_NE(of_label[0], of_label[1]);
  EXPECT_NE(of_label[0], of_label[2]);
  EXPECT_EQ(c.value(c.network.score()), of_label[2]);
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < Conditional::images; ++i) labels.push_back(static_cast<std::int64_t>(i * 2 % 3));
  std::vector<double> mixed(c.x.size());
  c.network.evaluate(c.t, c.x, labels, mixed);
  for (std::size_t i = 0; i < mixed.size(); ++i) ASSERT_EQ(mixed[i], of_label[labels[i / Conditional::dims]][i]) << i;
}

TEST(ScoreNetwork, RefusesLabelsThatItWasNotTrainedWith) {
  Conditional c(false);
  EXPECT_THROW(c.network.score(), kernels::InputError);
  EXPECT_THROW(c.network.score(2), kernels::InputError);
  EXPECT_THROW(c.network.score(-1), kernels::InputError);
  EXPECT_NO_THROW(c.value(c.network.score(1)));
}

TEST(ScoreNetwork, UniformPixelsCostAtLeastEightBitsWithoutTraining) {
  likelihood::Images images{
      .indices = std::vector<std::int64_t>(24), .dims = 64, .read = [](std::int64_t index, auto pixels) {
        for (std::size_t d = 0; d < pixels.size(); ++d) {
          pixels[d] =
              static_cast<std::uint8_t>(kernels::philox(9, kernels::Stream::source, static_cast<std::uint64_t>(index),
                                                        static_cast<std::uint32_t>(d))
                                            .word[0]);
        }
      }};
  std::iota(images.indices.begin(), images.indices.end(), 0);
  for (const auto kind : {kernels::SdeKind::vp, kernels::SdeKind::ve}) {
    const kernels::Sde sde{.kind = kind};
    Untrained untrained(sde, 8);
    const likelihood::Settings settings{.sde = sde, .seed = 3, .bound_times = 10, .ode_tolerance = 1e-3};
    std::vector<double> by_bound, by_ode;
    for (const auto& t : likelihood::bound(untrained.network.score(), images, settings)) by_bound.push_back(t.total());
    for (const auto& o : likelihood::ode(untrained.network.score(), images, settings)) by_ode.push_back(o.bits);
    for (const auto& bits : {by_bound, by_ode}) {
      const auto summary = likelihood::summarise(bits);
      EXPECT_GT(summary.mean, 8 - 3 * summary.standard_error);
    }
  }
}

}  // namespace
}  // namespace core::objective
