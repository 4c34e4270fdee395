#include "distributed/device_vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace distributed::testing {
namespace {

TEST(DeviceAddition, AddsAnyNumberOfTermsInTheirOrder) {
  const auto device = kernels::make_cpu_device(2);
  constexpr std::size_t size = 192;
  for (const std::size_t terms : {0u, 1u, 8u, 9u, 19u}) {
    for (const bool copies : {false, true}) {
      std::vector<DeviceVector> vectors;
      for (std::size_t k = 0; k < terms + 2; ++k) {
        vectors.emplace_back(*device, size, "a test's vector");
        for (std::size_t i = 0; i < size; ++i)
          vectors[k].span()[i] =
              std::ldexp(static_cast<float>((i * 7 + k * 13) % 31) - 15, static_cast<int>(k * 5 % 17));
      }
      const std::span<float> sum = vectors[terms].span(), copy = vectors[terms + 1].span();
      std::vector<float> wanted(sum.begin(), sum.end());
      std::vector<std::span<const float>> added;
      for (std::size_t k = 0; k < terms; ++k) {
        added.push_back(vectors[k].span());
        for (std::size_t i = 0; i < size; ++i) wanted[i] += vectors[k].span()[i];
      }
      const std::vector<float> before(copy.begin(), copy.end());
      DeviceAddition(*device, added, sum, copies ? copy : std::span<float>()).run();
      EXPECT_EQ(std::vector<float>(sum.begin(), sum.end()), wanted);
      EXPECT_EQ(std::vector<float>(copy.begin(), copy.end()), copies ? wanted : before);
    }
  }
}

}  // namespace
}  // namespace distributed::testing
