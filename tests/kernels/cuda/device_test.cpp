// The GPU as a device: what goes there comes back, steps run again as a graph, too little memory is told before it is
// taken. Where there is no GPU: that is told.
#include "kernels/cuda/device.h"

#include <gtest/gtest.h>

#include <numeric>

namespace kernels::cuda {
namespace {

/// None where there is no GPU, which is told in one line.
std::shared_ptr<Device> first_gpu() {
  try {
    EXPECT_FALSE(gpus().empty());
    return open(0);
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("use --device cpu"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return nullptr;
  }
}

std::vector<float> counted(std::size_t count, float first) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

std::vector<float> read(Device& device, const std::byte* memory, std::size_t count) {
  std::vector<float> values(count);
  device.read(std::as_writable_bytes(std::span(values)), memory);
  return values;
}

TEST(CudaDevice, OfAnotherCapabilityIsRefused) {
  require_capability(0, "NVIDIA H200", 9, 0);
  try {
    require_capability(2, "NVIDIA A100-SXM4-80GB", 8, 0);
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "GPU 2, NVIDIA A100-SXM4-80GB, has compute capability 8.0, but the kernels are for 9.0 (H100, H200): "
                 "use one of those, or --device cpu");
  }
}

TEST(CudaDevice, WhatGoesThereComesBack) {
  const auto device = first_gpu();
  if (!device) return;
  for (const std::size_t count : {1u, 1000u, 30'000'000u}) {  // the last of more pieces than there are buffers
    const auto memory = device->allocate(count * sizeof(float), "a test's floats");
    for (const float first : {0.0f, 7.0f}) {
      const std::vector<float> values = counted(count, first);
      device->write(memory.get(), std::as_bytes(std::span(values)));
      ASSERT_EQ(read(*device, memory.get(), count), values) << count;
    }
  }
}

TEST(CudaDevice, RunsStepsAgainAsAGraphAndTimesThem) {
  const auto device = first_gpu();
  if (!device) return;
  constexpr std::int64_t count = 1000;
  const Affine op{.x = Tensor{0, Element::f32, {count}}, .scale = 2, .shift = 1, .y = Tensor{1, Element::f32, {count}}};
  const Step step = device->prepare(op, {});
  const auto x = device->allocate(count * sizeof(float), "x"), y = device->allocate(count * sizeof(float), "y");
  std::byte* const base[] = {x.get(), y.get()};
  const auto run = [&] { step.run({.base = base}); };
  const auto replay = device->capture(run);
  const auto expect_results = [&](float first, const std::function<void()>& compute) {
    const std::vector<float> values = counted(count, first);
    device->write(x.get(), std::as_bytes(std::span(values)));
    compute();
    const std::vector<float> got = read(*device, y.get(), count);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], 2 * values[i] + 1);
  };
  for (const float first : {0.0f, 5.0f, -3.0f}) expect_results(first, replay);
  expect_results(8, [&] {
    const Device::Part parts[] = {{"first", run}, {"second", run}};
    const std::vector<double> ends = device->time(parts);
    ASSERT_EQ(ends.size(), 2u);
    EXPECT_TRUE(0 < ends[0] && ends[0] < ends[1] && ends[1] < 1);
  });
}

TEST(CudaDevice, SaysThatItHasTooLittleMemory) {
  const auto device = first_gpu();
  if (!device) return;
  try {
    device->allocate(std::size_t{1} << 50, "activations");
    FAIL() << "there was a PiB";
  } catch (const InputError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("out of memory: activations need 1048576.00 GiB, and GPU 0, "))
        << error.what();
  }
  const auto enough = device->allocate(1000, "activations");  // and can be used after that
  device->finish();
}

}  // namespace
}  // namespace kernels::cuda
