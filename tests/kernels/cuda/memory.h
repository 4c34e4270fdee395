// Whether there is a GPU, and its memory, for tests of what nvcc compiled.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <stdexcept>
#include <vector>

namespace kernels::test {

inline bool has_gpu() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

inline void succeed(cudaError_t result) {
  if (result != cudaSuccess) throw std::runtime_error(cudaGetErrorString(result));
}

/// Memory of the GPU that begins as a copy of the host's.
template <typename T>
class OnGpu {
 public:
  explicit OnGpu(const std::vector<T>& values) : elements_(values.size()) {
    succeed(cudaMalloc(&memory_, elements_ * sizeof(T)));
    succeed(cudaMemcpy(memory_, values.data(), elements_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~OnGpu() { cudaFree(memory_); }
  OnGpu(const OnGpu&) = delete;

  T* data() const { return static_cast<T*>(memory_); }
  /// Waits for all launches.
  std::vector<T> values() const {
    std::vector<T> result(elements_);
    succeed(cudaMemcpy(result.data(), memory_, elements_ * sizeof(T), cudaMemcpyDeviceToHost));
    return result;
  }

 private:
  std::size_t elements_;
  void* memory_ = nullptr;
};

}  // namespace kernels::test
