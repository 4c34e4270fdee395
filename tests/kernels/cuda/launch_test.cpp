// The kernels that nvcc compiled: where there is a GPU they compute what the CPU computes, and where there is none a
// launch says so and names the kernel.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/gpu_context.h"
#include "kernels/pointwise.h"

namespace kernels::test {
namespace {

bool has_gpu() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

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
  std::vector<float> x(count), y(count);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) / 50 - 10;
  std::byte* base[2];
  for (std::byte*& memory : base)
    ASSERT_EQ(cudaMalloc(reinterpret_cast<void**>(&memory), x.size() * sizeof(float)), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(base[0], x.data(), x.size() * sizeof(float), cudaMemcpyHostToDevice), cudaSuccess);
  step.run(Memory{.base = base});
  ASSERT_EQ(cudaMemcpy(y.data(), base[1], y.size() * sizeof(float), cudaMemcpyDeviceToHost), cudaSuccess);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], x[i] / (1 + std::exp(-x[i])), 1e-6);
  for (std::byte* memory : base) cudaFree(memory);
}

}  // namespace
}  // namespace kernels::test
