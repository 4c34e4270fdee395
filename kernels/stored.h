// Large activations as they are stored, float or bf16, and as the CPU computes with them, in float.
#pragma once

#include "kernels/parallel.h"
#include "kernels/scratch.h"

namespace kernels {

/// Calls f(x) with where the tensor lies, as float* or Bf16*; null where it is absent.
template <typename F>
void with_stored(const Memory& memory, const Tensor& tensor, const F& f) {
  tensor.element == Element::bf16 ? f(memory.at<Bf16>(tensor)) : f(memory.at<float>(tensor));
}

template <typename T>
void load_values(std::int64_t count, const T* __restrict from, float* __restrict to) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) to[i] = widen(from[i]);
}

/// The value as what the pointer points to is stored.
inline float stored(float value, const float*) {
  return value;
}
inline Bf16 stored(float value, const Bf16*) {
  return narrow(value);
}

inline void store_values(std::int64_t count, const float* __restrict from, Bf16* __restrict to) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) to[i] = narrow(from[i]);
}

/// A tensor in float: where it lies, or a copy in the scratch of a step where it is stored as bf16.
class FloatCopy {
 public:
  FloatCopy(const Tensor& tensor, ScratchLayout& scratch) : tensor_(tensor) {
    if (is_copy()) slot_ = scratch.add<float>(tensor.shape.elements());
  }
  bool is_copy() const { return tensor_.element == Element::bf16; }
  float* in(const Memory& memory) const { return is_copy() ? slot_.in(memory) : memory.at<float>(tensor_); }

  /// `count` values from the `first` on: from what is stored, and back to it. Nothing where there is no copy.
  void load(const Memory& memory, std::int64_t first, std::int64_t count) const {
    if (is_copy()) load_values(count, memory.at<Bf16>(tensor_) + first, in(memory) + first);
  }
  void store(const Memory& memory, std::int64_t first, std::int64_t count) const {
    if (is_copy()) store_values(count, in(memory) + first, memory.at<Bf16>(tensor_) + first);
  }
  void load_all(const Memory& memory, int threads) const {
    if (is_copy()) for_each_chunk(threads, elements(), [&](auto first, auto end) { load(memory, first, end - first); });
  }
  void store_all(const Memory& memory, int threads) const {
    if (is_copy())
      for_each_chunk(threads, elements(), [&](auto first, auto end) { store(memory, first, end - first); });
  }

 private:
  std::int64_t elements() const { return tensor_.shape.elements(); }

  Tensor tensor_;
  Slot<float> slot_;
};

}  // namespace kernels
