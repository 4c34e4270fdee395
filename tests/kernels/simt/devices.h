// Emulated devices for tests, and what they say of a mistake.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "kernels/gpu_blas.h"
#include "kernels/simt/device.h"
#include "tests/kernels/simt/probes.h"

namespace kernels::test {

/// The orders in which each launch is tried: several, or one where the program finds the mistakes in any.
std::vector<simt::Options> orders();

/// The library of matrix products that the devices of this program have, or none.
Blas library();

/// What the launch is refused with; empty where it runs to its end.
inline std::string mistake(simt::Device& device, const std::function<void(void* stream)>& launch) {
  try {
    launch(&device);
  } catch (const simt::Error& error) {
    return error.what();
  }
  return "";
}

/// Expects that every order says the words, and that the device works after it.
inline void expect_mistake(const std::function<void(void* stream)>& launch, const std::vector<std::string>& words) {
  for (const simt::Options& options : orders()) {
    simt::Device device(options);
    const std::string text = mistake(device, launch);
    for (const std::string& word : words)
      EXPECT_NE(text.find(word), std::string::npos) << "'" << word << "' in " << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    std::vector<int> x(64, 1), y(64);
    emulated::probe::scan(&device, 64, x.data(), y.data());
    EXPECT_EQ(y[63], 64);
  }
}

/// Calls f(stream) for a device of each order.
inline void in_every_order(const std::function<void(void* stream)>& f) {
  for (const simt::Options& options : orders()) {
    simt::Device device(options);
    f(&device);
  }
}

}  // namespace kernels::test
