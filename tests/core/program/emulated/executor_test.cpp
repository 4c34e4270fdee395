// Programs of a few records on the emulated GPU: what they compute, and what an executor refuses.
#include "core/program/executor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/program/differentiate.h"
#include "kernels/simt/emulated_device.h"
#include "tests/core/program/emulated/device_floats.h"

namespace core::program {
namespace {

using test::DeviceFloats;

constexpr std::size_t plenty = std::size_t{1} << 28;

std::vector<float> wave(std::size_t count, double step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(std::sin(step * static_cast<double>(i)));
  return values;
}

/// y = w silu(w x + b) + b, and its gradients.
struct TwoLayers {
  explicit TwoLayers(std::shared_ptr<kernels::Device> device)
      : weights{{*device, wave(16, 1)}, {*device, wave(4, 2)}},
        computed{{*device, std::vector<float>(16)}, {*device, std::vector<float>(4)}} {
    x = program.input("x", {3, 4});
    cotangent = program.input("cotangent", {3, 4});
    w = program.parameter("w", {4, 4}, {});
    b = program.parameter("b", {4}, {});
    const Tensor h = program.tensor("h", {3, 4}), a = program.tensor("a", {3, 4});
    y = program.tensor("y", {3, 4}, Role::output);
    program.record(kernels::Linear{.x = x, .weight = w, .bias = b, .y = h});
    program.record(kernels::Silu{.x = h, .y = a});
    program.record(kernels::Linear{.x = a, .weight = w, .bias = b, .y = y});
    const Seed seeds[] = {{y, cotangent}};
    const Tensor wanted[] = {w, b};
    gradients = differentiate(program, seeds, wanted);
    executor = std::make_unique<Executor>(program, device);
  }
  void bind() {
    executor->bind(w, weights[0].span());
    executor->bind(b, weights[1].span());
    for (std::size_t i = 0; i < 2; ++i) executor->bind(gradients[i], computed[i].span());
  }
  /// y, and both gradients behind it, for this x.
  std::vector<float> run(const std::vector<float>& input) {
    executor->upload(x, std::span<const float>(input));
    executor->upload(cotangent, std::span<const float>(wave(12, 3)));
    executor->run();
    std::vector<float> result(12);
    executor->download(y, std::span(result));
    for (const DeviceFloats& gradient : computed) {
      const std::vector<float> values = gradient.values();
      result.insert(result.end(), values.begin(), values.end());
    }
    return result;
  }

  Program program;
  Tensor x, cotangent, w, b, y;
  std::vector<Tensor> gradients;
  std::vector<DeviceFloats> weights, computed;
  std::unique_ptr<Executor> executor;
};

void expect_close(const std::vector<float>& got, const std::vector<float>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 2e-6) << i;
}

TEST(EmulatedExecutor, ComputesWhatTheCpuComputes) {
  TwoLayers gpu(kernels::simt::make_emulated_device(plenty)), cpu(kernels::make_cpu_device(1));
  gpu.bind();
  cpu.bind();
  for (const double step : {0.3, 0.7}) expect_close(gpu.run(wave(12, step)), cpu.run(wave(12, step)));
}

TEST(EmulatedExecutor, ABindingCountsFromTheNextRunOn) {
  const auto device = kernels::simt::make_emulated_device(plenty);
  TwoLayers net(device);
  net.bind();
  const std::vector<float> before = net.run(wave(12, 0.3));
  const DeviceFloats other(*device, std::vector<float>(16));
  net.executor->bind(net.gradients[0], other.span());
  device->write(reinterpret_cast<std::byte*>(net.computed[0].span().data()),
                std::as_bytes(std::span<const float>(std::vector<float>(16))));
  net.run(wave(12, 0.3));
  EXPECT_EQ(other.values(), std::vector<float>(before.begin() + 12, before.begin() + 28));
  EXPECT_EQ(net.computed[0].values(), std::vector<float>(16));
}

TEST(EmulatedExecutor, TimesEveryRecord) {
  TwoLayers net(kernels::simt::make_emulated_device(plenty));
  net.bind();
  const std::vector<float> before = net.run(wave(12, 0.3));
  const std::vector<double> ends = net.executor->run_timed();
  EXPECT_EQ(ends.size(), net.program.ops().size());
  EXPECT_TRUE(std::ranges::is_sorted(ends));
  EXPECT_EQ(net.run(wave(12, 0.3)), before);
}

TEST(EmulatedExecutor, RunsOnlyWhenAllIsBound) {
  TwoLayers net(kernels::simt::make_emulated_device(plenty));
  EXPECT_THROW(net.executor->run(), std::logic_error);
  EXPECT_THROW(net.executor->run_timed(), std::logic_error);
  EXPECT_THROW(net.executor->find_non_finite(), std::logic_error);
  net.bind();
  net.executor->run();
}

TEST(EmulatedExecutor, RefusesTransfersOfAnotherSizeOrRole) {
  TwoLayers net(kernels::simt::make_emulated_device(plenty));
  std::vector<float> short_one(11), right(12);
  EXPECT_THROW(net.executor->upload(net.x, std::span<const float>(short_one)), std::logic_error);
  EXPECT_THROW(net.executor->download(net.y, std::span<float>(short_one)), std::logic_error);
  EXPECT_THROW(net.executor->download(net.x, std::span<float>(right)), std::logic_error);
  EXPECT_THROW(net.executor->bind(net.x, right), std::logic_error);
}

TEST(EmulatedExecutor, NamesTheFirstRecordThatWritesANonFiniteValue) {
  TwoLayers net(kernels::simt::make_emulated_device(plenty));
  net.bind();
  std::vector<float> input = wave(12, 0.3);
  net.run(input);
  EXPECT_FALSE(net.executor->find_non_finite().has_value());
  input[4 + 2] = NAN;  // of the second image
  net.run(input);
  const auto found = net.executor->find_non_finite();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->operation, "Linear");
  EXPECT_EQ(found->tensor, "h");
  EXPECT_EQ(found->image, 1);
}

TEST(EmulatedExecutor, SaysHowMuchMemoryThereIsAndHowMuchItNeeds) {
  Program program;
  const Tensor x = program.input("x", {1 << 20, 64}), y = program.tensor("y", x.shape, Role::output);
  program.record(kernels::Silu{.x = x, .y = y});
  try {
    const Executor executor(program, kernels::simt::make_emulated_device(plenty));
    FAIL() << "half a GiB was found in a quarter of one";
  } catch (const kernels::InputError& error) {
    EXPECT_STREQ(error.what(),
                 "out of memory: activations need 0.50 GiB, and the emulated GPU has 0.25 GiB free; use fewer images "
                 "per batch, or training.recompute: BLOCKS");
  }
}

TEST(EmulatedExecutor, GivesItsMemoryBack) {
  Program program;
  const Tensor x = program.input("x", {1 << 10, 64}), y = program.tensor("y", x.shape, Role::output);
  program.record(kernels::Silu{.x = x, .y = y});
  const auto device = kernels::simt::make_emulated_device(std::size_t{1} << 20);
  for (int i = 0; i < 3; ++i) const Executor executor(program, device);
}

}  // namespace
}  // namespace core::program
