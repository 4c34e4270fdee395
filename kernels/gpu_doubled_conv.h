// A 3x3 convolution of a doubled image as one of the image itself; for kernels only.
//
// Along each axis v[j] = u[j/2] and y[o] = sum_r w[r] v[o + r - 1] give, for a = 0 and 1,
//   y[2i + a] = sum_t s[a + 2t] u[i + t + a - 1] over t = 0 and 1, with s[q] = w[q - 1] + w[q] and w[-1] = w[3] = 0:
// four products for a pixel of y instead of nine. Dropout comes before the doubling, so that all copies of a pixel are
// alike. The gradients are du[i] = sum_q s[q] dy[2i + 2 - q], and dw[r] = ds[r] + ds[r + 1].
#pragma once

#include "kernels/conv.h"
#include "kernels/divisor.h"
#include "kernels/gpu_array.h"

namespace kernels::BACKEND {

/// A weight of weight[k,r,r,c].
struct PlainWeight {
  const float* weight;
  int taps, c;
  __device__ float at(int k, int tap, int channel) const {
    return weight[(static_cast<std::int64_t>(k) * taps + tap) * c + channel];
  }
};

/// Taps (q_y, q_x) by rows, or those of each of y's four pixels together: (a_y, a_x), then (t_y, t_x).
enum class TapOrder : bool { rows, phases };

/// s[k,16,c] of weight[k,3,3,c].
struct SummedWeight {
  const float* weight;
  int c;
  TapOrder order;
  __device__ float at(int k, int tap, int channel) const {
    const int high = tap / 4, low = tap % 4;
    const bool by_phases = order == TapOrder::phases;
    const int q_y = by_phases ? high / 2 + low / 2 * 2 : high, q_x = by_phases ? high % 2 + low % 2 * 2 : low;
    float sum = 0;
    for (int y = max(q_y - 1, 0); y <= min(q_y, 2); ++y)
      for (int x = max(q_x - 1, 0); x <= min(q_x, 2); ++x)
        sum += weight[(static_cast<std::int64_t>(k) * 9 + y * 3 + x) * c + channel];
    return sum;
  }
};

/// to[k,taps,c] = weights.at(k, tap, c).
template <typename Weights>
__global__ void __launch_bounds__(block_threads)
    write_weights_kernel(int k, Divisor taps, Divisor c, Weights weights, Array to) {
  const int count = k * taps.value * c.value;
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    const int of_tap = c.quotient(static_cast<int>(i));
    to.set(i, Pack<1>{{weights.at(taps.quotient(of_tap), taps.remainder(of_tap), c.remainder(static_cast<int>(i)))}});
  }
}

/// The same with k and c exchanged, to[c,taps,k]: block (x, y, z) of the grid does 32 of c, 32 of k and a tap.
template <typename Weights>
__global__ void __launch_bounds__(256) turn_weights_kernel(int k, int taps, int c, Weights weights, Array to) {
  SHARED(float, square, [32][33]);
  const int tap = static_cast<int>(blockIdx.z), x = static_cast<int>(threadIdx.x);
  const int first_c = static_cast<int>(blockIdx.x) * 32, first_k = static_cast<int>(blockIdx.y) * 32;
  for (int y = static_cast<int>(threadIdx.y); y < 32; y += 8)
    if (first_k + y < k && first_c + x < c) square[y][x] = weights.at(first_k + y, tap, first_c + x);
  __syncthreads();
  for (int y = static_cast<int>(threadIdx.y); y < 32; y += 8)
    if (first_c + y < c && first_k + x < k)
      to.set((static_cast<std::int64_t>(first_c + y) * taps + tap) * k + first_k + x, Pack<1>{{square[x][y]}});
}

/// dweight[k,3,3,c] (+)= scale times what ds[parts,16,k,c] gives, its parts in their order.
static __global__ void __launch_bounds__(block_threads)
    fold_weights_kernel(int k, int c, int parts, const float* sums, float scale, Mode mode, float* dweight) {
  for (std::int64_t i = first_item(); i < static_cast<std::int64_t>(k) * 9 * c; i += item_stride()) {
    const int y = static_cast<int>(i / c % 9 / 3), x = static_cast<int>(i / c % 3);
    const std::int64_t which = i / c / 9 * c + i % c;
    float sum = 0;
    for (int part = 0; part < parts; ++part)
      for (int q = 0; q < 4; ++q)
        sum += sums[(part * 16 + (y + q / 2) * 4 + x + q % 2) * (static_cast<std::int64_t>(k) * c) + which];
    dweight[i] = scale * sum + (mode == Mode::accumulate ? dweight[i] : 0);
  }
}

/// What a product takes for a convolution's weights, stored as `element`: weight[k,taps,c] or, of a doubled image, the
/// sums of its taps; for the data gradient turned to [c,taps,k].
class TapWeights {
 public:
  enum class Turned : bool { no, yes };
  TapWeights(const Tensor& weight, bool doubled, Element element, Turned turned, ScratchLayout& scratch)
      : weight_(weight),
        doubled_(doubled),
        element_(element),
        turned_(turned),
        made_(scratch.add<std::byte>(is_made() ? elements() * static_cast<std::int64_t>(bytes(element)) : 0)) {}

  ConstArray make(void* stream, const Memory& memory) const {
    if (!is_made()) return const_array(weight_, memory);
    const Array to{made_.in(memory), element_};
    const auto* const weight = memory.at<const float>(weight_);
    if (doubled_)
      write(stream, SummedWeight{weight, c(), turned_ == Turned::yes ? TapOrder::rows : TapOrder::phases}, to);
    else
      write(stream, PlainWeight{weight, taps(), c()}, to);
    return {to.data, to.element};
  }

 private:
  int k() const { return static_cast<int>(weight_.shape[0]); }
  int c() const { return static_cast<int>(weight_.shape[3]); }
  int taps() const { return doubled_ ? 16 : static_cast<int>(weight_.shape[1] * weight_.shape[2]); }
  std::int64_t elements() const { return std::int64_t{k()} * taps() * c(); }
  bool is_made() const { return doubled_ || turned_ == Turned::yes || element_ != weight_.element; }

  template <typename Weights>
  void write(void* stream, const Weights& weights, const Array& to) const {
    counted(elements());
    const auto blocks = [](int extent) { return static_cast<unsigned>((extent + 31) / 32); };
    if (turned_ == Turned::yes)
      launch<turn_weights_kernel<Weights>>(dim3(blocks(c()), blocks(k()), static_cast<unsigned>(taps())), dim3(32, 8),
                                           0, stream, k(), taps(), c(), weights, to);
    else
      launch<write_weights_kernel<Weights>>(blocks_for(elements()), block_threads, 0, stream, k(), Divisor(taps()),
                                            Divisor(c()), weights, to);
  }

  Tensor weight_;
  bool doubled_;
  Element element_;
  Turned turned_;
  Slot<std::byte> made_;
};

}  // namespace kernels::BACKEND
