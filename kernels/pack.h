// Neighbouring elements that a thread of the GPU reads or writes at once, as floats; for kernels only.
#pragma once

#include "kernels/bf16.h"
#include "kernels/simt/kernel.h"

namespace kernels::BACKEND {

template <int width>
struct Pack {
  float value[width];
};

/// How many elements go together where extents and addresses allow it, 16 bytes an access.
inline constexpr int full_width = 8;

/// Eight neighbours in memory, at a multiple of 16 bytes, or zeros.
struct Neighbours {
  const Bf16* from;
  bool are_there;
};

template <int width>
__device__ __forceinline__ Pack<width> load(const float* x) {
  Pack<width> pack;
  if constexpr (width == 1) {
    pack.value[0] = *x;
  } else {
#pragma unroll
    for (int i = 0; i < width; i += 4) {
      const float4 four = *reinterpret_cast<const float4*>(x + i);
      pack.value[i] = four.x;
      pack.value[i + 1] = four.y;
      pack.value[i + 2] = four.z;
      pack.value[i + 3] = four.w;
    }
  }
  return pack;
}

__device__ __forceinline__ void split(unsigned word, float& low, float& high) {
  low = widen(Bf16{static_cast<std::uint16_t>(word)});
  high = widen(Bf16{static_cast<std::uint16_t>(word >> 16)});
}

template <int width>
__device__ __forceinline__ Pack<width> load(const Bf16* x) {
  Pack<width> pack;
  if constexpr (width == 1) {
    pack.value[0] = widen(*x);
  } else {
#pragma unroll
    for (int i = 0; i < width; i += 8) {
      const uint4 words = *reinterpret_cast<const uint4*>(x + i);
      split(words.x, pack.value[i], pack.value[i + 1]);
      split(words.y, pack.value[i + 2], pack.value[i + 3]);
      split(words.z, pack.value[i + 4], pack.value[i + 5]);
      split(words.w, pack.value[i + 6], pack.value[i + 7]);
    }
  }
  return pack;
}

template <int width>
__device__ __forceinline__ void store(float* y, const Pack<width>& pack) {
  if constexpr (width == 1) {
    *y = pack.value[0];
  } else {
#pragma unroll
    for (int i = 0; i < width; i += 4)
      *reinterpret_cast<float4*>(y + i) =
          make_float4(pack.value[i], pack.value[i + 1], pack.value[i + 2], pack.value[i + 3]);
  }
}

template <int width>
__device__ __forceinline__ void store(Bf16* y, const Pack<width>& pack) {
  if constexpr (width == 1) {
    *y = narrow(pack.value[0]);
  } else {
#pragma unroll
    for (int i = 0; i < width; i += 8)
      *reinterpret_cast<uint4*>(y + i) = make_uint4(
          narrow_pair(pack.value[i], pack.value[i + 1]), narrow_pair(pack.value[i + 2], pack.value[i + 3]),
          narrow_pair(pack.value[i + 4], pack.value[i + 5]), narrow_pair(pack.value[i + 6], pack.value[i + 7]));
  }
}

/// A pack of which memory has the first `present` elements only, unless whole.
template <int width, bool whole, typename T>
__device__ __forceinline__ Pack<width> load_present(const T* x, std::uint32_t present) {
  if constexpr (whole) {
    return load<width>(x);
  } else {
    Pack<width> pack{};
    for (std::uint32_t j = 0; j < width && j < present; ++j) pack.value[j] = load<1>(x + j).value[0];
    return pack;
  }
}
template <bool whole, int width, typename T>
__device__ __forceinline__ void store_present(T* y, const Pack<width>& pack, std::uint32_t present) {
  if constexpr (whole) {
    store(y, pack);
  } else {
    for (std::uint32_t j = 0; j < width && j < present; ++j) store(y + j, Pack<1>{{pack.value[j]}});
  }
}

}  // namespace kernels::BACKEND
