#include "kernels/cuda/staging.h"

#include <algorithm>
#include <cstring>
#include <deque>

namespace kernels::cuda {
namespace {

constexpr std::size_t buffers = 8, buffer_bytes = std::size_t{4} << 20;

std::byte* pinned(std::size_t bytes) {
  void* memory = nullptr;
  check(cudaMallocHost(&memory, bytes), "pinning host memory for copies");
  return static_cast<std::byte*>(memory);
}

}  // namespace

Staging::Staging(cudaStream_t stream, const Waiting& waiting) : stream_(stream), waiting_(waiting) {
  for (std::size_t i = 0; i < buffers; ++i)
    ring_.push_back({{pinned(buffer_bytes), &cudaFreeHost}, make_untimed_event()});
}

/// The buffer whose copy was started longest ago, when that copy is done.
Staging::Buffer& Staging::next() {
  Buffer& buffer = ring_[next_++ % ring_.size()];
  waiting_.wait_for(buffer.done.get(), "waiting for a copy");
  return buffer;
}

void Staging::write(std::byte* to, std::span<const std::byte> from) {
  for (std::size_t begin = 0; begin < from.size(); begin += buffer_bytes) {
    const auto piece = from.subspan(begin, std::min(buffer_bytes, from.size() - begin));
    Buffer& buffer = next();
    std::memcpy(buffer.memory.get(), piece.data(), piece.size());
    check(cudaMemcpyAsync(to + begin, buffer.memory.get(), piece.size(), cudaMemcpyHostToDevice, stream_),
          "copying to the GPU");
    check(cudaEventRecord(buffer.done.get(), stream_), "copying to the GPU");
  }
}

void Staging::read(std::span<std::byte> to, const std::byte* from) {
  struct Piece {
    Buffer& buffer;
    std::span<std::byte> to;
  };
  std::deque<Piece> under_way;
  const auto take = [&] {
    const Piece piece = under_way.front();
    under_way.pop_front();
    waiting_.wait_for(piece.buffer.done.get(), "copying from the GPU");
    std::memcpy(piece.to.data(), piece.buffer.memory.get(), piece.to.size());
  };
  for (std::size_t begin = 0; begin < to.size(); begin += buffer_bytes) {
    if (under_way.size() == ring_.size()) take();
    const auto piece = to.subspan(begin, std::min(buffer_bytes, to.size() - begin));
    Buffer& buffer = next();
    check(cudaMemcpyAsync(buffer.memory.get(), from + begin, piece.size(), cudaMemcpyDeviceToHost, stream_),
          "copying from the GPU");
    check(cudaEventRecord(buffer.done.get(), stream_), "copying from the GPU");
    under_way.push_back({buffer, piece});
  }
  while (!under_way.empty()) take();
}

}  // namespace kernels::cuda
