// Copies between ordinary host memory and a GPU, which only copies pinned memory beside its other work.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace kernels::cuda {

/// A ring of pinned buffers, one stream's.
class Staging {
 public:
  /// `waiting` must outlive it.
  Staging(cudaStream_t stream, const Waiting& waiting);

  /// Returns when `from` has been read; the copy itself waits for its turn in the stream.
  void write(std::byte* to, std::span<const std::byte> from);
  /// Returns when `to` is filled.
  void read(std::span<std::byte> to, const std::byte* from);

 private:
  struct Buffer {
    std::unique_ptr<std::byte, cudaError_t (*)(void*)> memory;
    Owned<cudaEvent_t> done;  // with the last copy from or to it
  };
  Buffer& next();

  cudaStream_t stream_;
  const Waiting& waiting_;
  std::vector<Buffer> ring_;
  std::size_t next_ = 0;
};

}  // namespace kernels::cuda
