// What prologues do by vectors, with the kernels for AVX2, with those for 16 floats as any CPU can run them and with
// this CPU's, against the definitions.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/dropout.h"
#include "kernels/stored.h"
#include "kernels/vector_kernels_table.h"

namespace kernels {
namespace {

struct Wide : FloatOperands<16> {};
const VectorMaps wide_maps = vector_maps_for<Wide>();

class VectorMapsOf : public ::testing::TestWithParam<const VectorMaps*> {};

TEST_P(VectorMapsOf, DropoutHasTheFactorsOfItsDefinition) {
  const Dropout dropout{.rate = 0.3f, .seed = 0x123456789abcdef0, .site = 77};
  constexpr std::uint64_t position = 0xfedcba9876543210;
  constexpr std::uint32_t first = 0xfffffffa;  // the last blocks begin anew at 0
  const PhiloxBlocks from{.image_low = 0x76543210,
                          .image_high = 0xfedcba98,
                          .block = first,
                          .stream_and_site = stream_and_site(Stream::dropout, dropout.site),
                          .key_low = 0x9abcdef0,
                          .key_high = 0x12345678};
  std::vector<float> factors(4 * philox_blocks_together);
  GetParam()->dropout_factors(dropout.rate, from, factors.data());
  for (std::uint32_t e = 0; e < factors.size(); ++e) {
    const Words words = draw_dropout(dropout, static_cast<std::int64_t>(position), first + e / 4);
    EXPECT_EQ(factors[e], dropout_factor(dropout.rate, words.word[e % 4])) << e;
  }
}

/// A row of `pixels` pixels of a source of 21 channels whose values are the first of 30 of each pixel.
template <typename X>
struct Row {
  static constexpr std::int64_t pixels = 3, channels = 21, stride = 30;
  std::vector<X> x;
  std::vector<float> a, b, mean, values;
  Row() {
    std::mt19937 random(5);
    std::uniform_real_distribution<float> uniform(-3, 3);
    for (int i = 0; i < pixels * channels; ++i) x.push_back(stored(uniform(random), static_cast<X*>(nullptr)));
    for (auto* per_channel : {&a, &b, &mean})
      for (int c = 0; c < channels; ++c) per_channel->push_back(uniform(random));
    for (int i = 0; i < pixels * stride; ++i) values.push_back(uniform(random));
  }
  ChannelRow<X> get() const { return {pixels, channels, stride, x.data(), a.data(), b.data()}; }
  double z(std::int64_t p, std::int64_t c) const {
    const auto i = static_cast<std::size_t>(c);
    return double{a[i]} * widen(x[static_cast<std::size_t>(p * channels + c)]) + b[i];
  }
};

template <typename X>
void expect_forward(const ChannelMaps<X>& maps, int activation) {
  const Row<X> row;
  std::vector<float> u = row.values;
  maps.forward[activation](row.get(), u.data());
  for (std::int64_t p = 0; p < row.pixels; ++p)
    for (std::int64_t c = 0; c < row.stride; ++c) {
      const auto i = static_cast<std::size_t>(p * row.stride + c);
      const double z = c < row.channels ? row.z(p, c) : 0;
      const double wanted = c >= row.channels ? row.values[i] : activation == 0 ? z : z / (1 + std::exp(-z));
      EXPECT_NEAR(u[i], wanted, 2e-6 * (1 + std::abs(wanted))) << p << " " << c;
    }
}

template <typename X>
void expect_gradient(const ChannelMaps<X>& maps, int activation) {
  const Row<X> row;
  std::vector<float> d = row.values, sum(row.channels, 1), centred(row.channels, 2);
  maps.gradient[activation](row.get(), row.mean.data(), d.data(), sum.data(), centred.data());
  for (std::int64_t c = 0; c < row.channels; ++c) {
    double wanted_sum = 1, wanted_centred = 2;
    for (std::int64_t p = 0; p < row.pixels; ++p) {
      const auto i = static_cast<std::size_t>(p * row.stride + c);
      const double z = row.z(p, c), s = 1 / (1 + std::exp(-z));
      const double wanted = row.values[i] * (activation == 0 ? 1 : s * (1 + z * (1 - s)));
      EXPECT_NEAR(d[i], wanted, 4e-6 * (1 + std::abs(wanted))) << p << " " << c;
      wanted_sum += wanted;
      wanted_centred += wanted * (widen(row.x[static_cast<std::size_t>(p * row.channels + c)]) -
                                  double{row.mean[static_cast<std::size_t>(c)]});
    }
    EXPECT_NEAR(sum[static_cast<std::size_t>(c)], wanted_sum, 1e-5 * (1 + std::abs(wanted_sum)));
    EXPECT_NEAR(centred[static_cast<std::size_t>(c)], wanted_centred, 1e-5 * (1 + std::abs(wanted_centred)));
  }
  for (std::int64_t p = 0; p < row.pixels; ++p)
    for (std::int64_t c = row.channels; c < row.stride; ++c) {
      const auto i = static_cast<std::size_t>(p * row.stride + c);
      EXPECT_EQ(d[i], row.values[i]) << "of another source";
    }
}

TEST_P(VectorMapsOf, ChannelsAgreeWithTheirDefinition) {
  for (const int activation : {0, 1}) {
    expect_forward(GetParam()->floats, activation);
    expect_forward(GetParam()->bf16, activation);
    expect_gradient(GetParam()->floats, activation);
    expect_gradient(GetParam()->bf16, activation);
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, VectorMapsOf, ::testing::Values(&avx2_maps, &wide_maps, &vector_maps()),
                         [](const auto& at) {
                           return std::string(at.index == 0 ? "Avx2" : at.index == 1 ? "Wide" : "OfThisCpu");
                         });

}  // namespace
}  // namespace kernels
