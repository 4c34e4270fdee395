// Activations of either element type as kernels read and write them; for kernels only.
#pragma once

#include "kernels/gpu_launch.h"

namespace kernels::BACKEND {

/// Elements that are stored as float or bfloat16. T: const void or void.
template <typename T>
struct ArrayOf {
  T* data = nullptr;
  Element element = Element::f32;
  __device__ explicit operator bool() const { return data != nullptr; }

  /// `width` neighbours, 16 bytes aligned where it is more than 1.
  template <int width>
  __device__ __forceinline__ Pack<width> at(std::int64_t i) const {
    return element == Element::f32 ? kernels::BACKEND::load<width>(static_cast<const float*>(data) + i)
                                   : kernels::BACKEND::load<width>(static_cast<const Bf16*>(data) + i);
  }
  /// Zeros for i < 0.
  template <int width>
  __device__ __forceinline__ Pack<width> at_or_zero(std::int64_t i) const {
    if (i < 0) return {};
    return at<width>(i);
  }
  template <int width>
  __device__ __forceinline__ void set(std::int64_t i, const Pack<width>& pack) const {
    if (element == Element::f32)
      store(static_cast<float*>(data) + i, pack);
    else
      store(static_cast<Bf16*>(data) + i, pack);
  }
  /// Of bfloat16, from element i on; none for i < 0.
  __device__ Neighbours place(std::int64_t i) const { return {static_cast<const Bf16*>(data) + i, i >= 0}; }
  /// What `set` leaves to be read.
  template <int width>
  __device__ __forceinline__ Pack<width> rounded(Pack<width> pack) const {
    if (element == Element::bf16) {
#pragma unroll
      for (int j = 0; j < width; ++j) pack.value[j] = widen(narrow(pack.value[j]));
    }
    return pack;
  }
};
using ConstArray = ArrayOf<const void>;
using Array = ArrayOf<void>;

inline ConstArray const_array(const Tensor& tensor, const Memory& memory) {
  return {memory.at<const void>(tensor), tensor.element};
}
inline Array array(const Tensor& tensor, const Memory& memory) {
  return {memory.at<void>(tensor), tensor.element};
}

}  // namespace kernels::BACKEND
