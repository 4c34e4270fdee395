// CUDA's runtime with errors as exceptions and handles that free themselves; for kernels/cuda only.
#pragma once

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <chrono>
#include <functional>
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
inline Owned<cudaEvent_t> make_untimed_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
  return Owned<cudaEvent_t>(event);
}

/// Waits for events, and calls the watch every millisecond meanwhile: what they wait for may have failed.
class Waiting {
 public:
  void watch(std::function<void(double seconds)> watch) { watch_ = std::move(watch); }
  void wait_for(cudaEvent_t event, const char* what) const {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    cudaError_t state = cudaEventQuery(event);
    for (auto last = begin; state == cudaErrorNotReady; state = cudaEventQuery(event)) {
      const Clock::time_point now = Clock::now();
      if (!watch_ || now - last < std::chrono::milliseconds(1)) continue;
      watch_(std::chrono::duration<double>(now - begin).count());
      last = now;
    }
    check(state, what);
  }

 private:
  std::function<void(double seconds)> watch_;
};

}  // namespace kernels::cuda
