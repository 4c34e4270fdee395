// The kernels that nvcc compiled: where there is a GPU they compute what the CPU computes, and where there is none a
// launch says so and names the kernel.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/gpu_context.h"
#include "kernels/pointwise.h"
#include "tests/kernels/cuda/memory.h"

namespace kernels::test {
namespace {

Tensor tensor(std::int32_t id, std::int64_t elements) {
  Tensor t;
  t.id = id;
  t.shape = {elements};
  return t;
}

TEST(Cuda, LaunchesKernelsOrSaysWhyNot) {
  constexpr std::int64_t count = 1000;
  const Silu op{.x = tensor(0, count), .y = tensor(1, count)};
  const Step step = cuda::prepare(op, GpuContext{.stream = nullptr, .exchange = {}});
  if (!has_gpu()) {
    alignas(16) std::byte unused[2];
    std::byte* const base[] = {&unused[0], &unused[1]};
    try {
      step.run(Memory{.base = base});
      FAIL() << "a kernel ran without a GPU";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("kernel map_kernel<"), std::string::npos) << error.what();
    }
    return;
  }
  std::vector<float> x(count);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) / 50 - 10;
  const OnGpu from(x);
  const OnGpu to(std::vector<float>(x.size()));
  std::byte* const base[] = {reinterpret_cast<std::byte*>(from.data()), reinterpret_cast<std::byte*>(to.data())};
  step.run(Memory{.base = base});
  const std::vector<float> y = to.values();
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], x[i] / (1 + std::exp(-x[i])), 1e-6);
}

}  // namespace
}  // namespace kernels::test
