// How the tests of records run them in this program: on a GPU, in memory that the CPU sees as well.
#pragma once

#include <string>
#include <vector>

#include "kernels/gpu_context.h"
#include "tests/kernels/cuda/memory.h"
#include "tests/kernels/narrow.h"

namespace kernels::test {

template <typename T>
struct BlockAllocator {
  using value_type = T;
  T* allocate(std::size_t count) {
    void* memory = nullptr;
    succeed(cudaMallocManaged(&memory, count * sizeof(T)));
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) { cudaFree(memory); }
  bool operator==(const BlockAllocator&) const { return true; }
};

/// The library of matrix products that this program has, or none.
Blas library();

/// Whether a kernel that finds its input wrong leaves nothing for the process to go on with.
constexpr bool a_refusal_is_final = true;

/// Whether records with products run in the first two ways only.
constexpr bool products_take_long = false;

struct Way {
  std::string name() const { return "a GPU"; }
  template <typename Op>
  Step step_of(const Op& op) const {
    return cuda::prepare(op, GpuContext{.stream = nullptr, .exchange = {}, .blas = library()});
  }
  void finish() const { succeed(cudaDeviceSynchronize()); }
  bool like(const Way&) const { return true; }
};

inline std::vector<Way> ways() {
  return {{}, {}};
}

}  // namespace kernels::test
