// CUDA's runtime with errors as exceptions and handles that free themselves; for kernels/cuda only.
#pragma once

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <memory>
#include <source_location>
#include <stdexcept>
#include <type_traits>

namespace kernels::cuda {

/// Throws runtime_error unless the call succeeded; `what` we were doing, for the message.
inline void check(cudaError_t result, const char* what, std::source_location place = std::source_location::current()) {
  if (result != cudaSuccess)
    throw std::runtime_error(
        fmt::format("{}:{}: {}: {}", place.file_name(), place.line(), what, cudaGetErrorString(result)));
}

struct Destroy {
  void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
  void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
};
/// A handle of CUDA's, each a pointer.
template <typename Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

inline Owned<cudaEvent_t> make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "making an event");
  return Owned<cudaEvent_t>(event);
}

}  // namespace kernels::cuda
