// Divides the scratch of a step among the arrays that need it.
#pragma once

#include "kernels/tensor.h"

namespace kernels {

/// An array of T somewhere in the scratch.
template <typename T>
struct Slot {
  std::size_t offset = 0;
  T* in(const Memory& memory) const { return reinterpret_cast<T*>(memory.scratch + offset); }
};

class ScratchLayout {
 public:
  template <typename T>
  Slot<T> add(std::int64_t elements) {
    const Slot<T> slot{bytes_};
    const std::size_t bytes = static_cast<std::size_t>(elements) * sizeof(T);
    bytes_ += (bytes + memory_alignment - 1) / memory_alignment * memory_alignment;
    return slot;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

}  // namespace kernels
