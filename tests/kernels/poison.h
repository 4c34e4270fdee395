// Memory that nobody may touch for a while, as AddressSanitizer sees it, where it is linked.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

extern "C" {
[[gnu::weak]] void __asan_poison_memory_region(const volatile void* begin, std::size_t bytes);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* begin, std::size_t bytes);
}

namespace kernels::test {

class Poison {
 public:
  Poison() = default;
  Poison(const Poison&) = delete;
  ~Poison() {
    for (const auto& bytes : poisoned_) __asan_unpoison_memory_region(bytes.data(), bytes.size());
  }
  /// Until this object ends.
  void add(std::span<const std::byte> bytes) {
    if (!__asan_poison_memory_region) return;
    __asan_poison_memory_region(bytes.data(), bytes.size());
    poisoned_.push_back(bytes);
  }

 private:
  std::vector<std::span<const std::byte>> poisoned_;
};

}  // namespace kernels::test
