#include "kernels/device.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

namespace kernels {

std::shared_ptr<std::byte> Device::allocate(std::size_t bytes, const char* purpose) {
  const auto gib = [](std::size_t count) { return static_cast<double>(count) / (1 << 30); };
  const std::optional<std::size_t> free = free_bytes();
  std::shared_ptr<std::byte> memory = free && *free < bytes ? nullptr : take(bytes);
  require(memory != nullptr,
          "out of memory: {} need {:.2f} GiB{}; use fewer images per batch, or training.recompute: BLOCKS", purpose,
          gib(bytes), free ? fmt::format(", and {} has {:.2f} GiB free", name(), gib(*free)) : "");
  return memory;
}

std::vector<double> Device::time(std::span<const Part> parts) {
  using Clock = std::chrono::steady_clock;
  finish();
  const Clock::time_point begin = Clock::now();
  std::vector<double> ends;
  for (const Part& part : parts) {
    part.run();
    finish();
    ends.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return ends;
}

void HostDevice::write(std::byte* to, std::span<const std::byte> from) {
  std::memcpy(to, from.data(), from.size());
}

void HostDevice::read(std::span<std::byte> to, const std::byte* from) {
  std::memcpy(to.data(), from, to.size());
}

std::shared_ptr<std::byte> CountingDevice::take(std::size_t bytes) {
  constexpr std::size_t unit = 512;  // what a GPU's memory is given out in
  taken_ += (std::max<std::size_t>(bytes, 1) + unit - 1) / unit * unit;
  return {std::shared_ptr<std::byte>(), reinterpret_cast<std::byte*>(unit)};
}

std::shared_ptr<std::byte> HostDevice::take(std::size_t bytes) {
  const std::size_t blocks = (std::max<std::size_t>(bytes, 1) + memory_alignment - 1) / memory_alignment;
  void* const memory = std::aligned_alloc(memory_alignment, blocks * memory_alignment);
  return memory ? std::shared_ptr<std::byte>(static_cast<std::byte*>(memory), &std::free) : nullptr;
}

}  // namespace kernels
