// The tensor core instructions that nvcc compiled give the bits that the emulated ones give, where there is a GPU.
#include <gtest/gtest.h>

#include <random>

#include "tests/kernels/cuda/memory.h"
#include "tests/kernels/simt/devices.h"

namespace kernels::cuda::probe {
void multiply(void* stream, const Bf16* a, const Bf16* b, float* c);
void load_fragments(void* stream, bool transposed, const Bf16* rows, unsigned* words);
}  // namespace kernels::cuda::probe

namespace kernels::test {
namespace {

TEST(CudaTile, ReadsFragmentsAsTheEmulationDoes) {
  std::vector<Bf16> rows(256);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {static_cast<std::uint16_t>(i)};
  for (bool transposed : {false, true}) {
    if (!has_gpu()) {
      EXPECT_THROW(cuda::probe::load_fragments(nullptr, transposed, nullptr, nullptr), std::runtime_error);
      continue;
    }
    std::vector<unsigned> wanted(128);
    simt::Device device;
    emulated::probe::load_fragments(&device, transposed, rows.data(), wanted.data());
    const OnGpu from(rows);
    const OnGpu to(std::vector<unsigned>(128));
    cuda::probe::load_fragments(nullptr, transposed, from.data(), to.data());
    EXPECT_EQ(to.values(), wanted);
  }
}

// Products and sums of small integers are exact, in whatever order they are added.
TEST(CudaTile, MultipliesFragmentsAsTheEmulationDoes) {
  if (!has_gpu()) {
    EXPECT_THROW(cuda::probe::multiply(nullptr, nullptr, nullptr, nullptr), std::runtime_error);
    return;
  }
  std::vector<Bf16> a(256), b(128);
  std::mt19937 random(1);
  for (auto* matrix : {&a, &b})
    for (Bf16& value : *matrix) value = narrow(static_cast<float>(random() % 17) - 8);
  std::vector<float> wanted(128);
  simt::Device device;
  emulated::probe::multiply(&device, a.data(), b.data(), wanted.data());
  const OnGpu of_a(a), of_b(b);
  const OnGpu c(std::vector<float>(128));
  cuda::probe::multiply(nullptr, of_a.data(), of_b.data(), c.data());
  EXPECT_EQ(c.values(), wanted);
}

}  // namespace
}  // namespace kernels::test
