// A 3x3 convolution of a doubled image as one of the image itself; for kernels only.
//
// Along each axis v[j] = u[j/2] and y[o] = sum_r w[r] v[o + r - 1] give, for a = 0 and 1,
//   y[2i + a] = sum_t s[a + 2t] u[i + t + a - 1] over t = 0 and 1, with s[q] = w[q - 1] + w[q] and w[-1] = w[3] = 0:
// four products for a pixel of y instead of nine. Dropout comes before the doubling, so that all copies of a pixel are
// alike. The gradients are du[i] = sum_q s[q] dy[2i + 2 - q], and dw[r] = ds[r] + ds[r + 1].
#pragma once

#include "kernels/conv.h"
#include "kernels/gpu_array.h"
#include "kernels/scratch.h"

namespace kernels::BACKEND {

/// Taps (q_y, q_x) by rows, or those of each of y's four pixels together: (a_y, a_x), then (t_y, t_x).
enum class TapOrder : bool { rows, phases };

/// s[k,16,c] of weight[k,3,3,c].
static __global__ void __launch_bounds__(block_threads)
    sum_weights_kernel(int k, int c, const float* weight, TapOrder order, Array sums) {
  for (std::int64_t i = first_item(); i < static_cast<std::int64_t>(k) * 16 * c; i += item_stride()) {
    const int tap = static_cast<int>(i / c % 16), high = tap / 4, low = tap % 4;
    const bool by_phases = order == TapOrder::phases;
    const int q_y = by_phases ? high / 2 + low / 2 * 2 : high, q_x = by_phases ? high % 2 + low % 2 * 2 : low;
    float sum = 0;
    for (int y = max(q_y - 1, 0); y <= min(q_y, 2); ++y)
      for (int x = max(q_x - 1, 0); x <= min(q_x, 2); ++x) sum += weight[(i / c / 16 * 9 + y * 3 + x) * c + i % c];
    sums.set(i, Pack<1>{{sum}});
  }
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

/// What a product takes for a convolution's weights: themselves, or their sums in scratch, stored as `element`.
class TapWeights {
 public:
  TapWeights(const Tensor& weight, bool doubled, Element element, TapOrder order, ScratchLayout& scratch)
      : weight_(weight), doubled_(doubled), element_(element), order_(order) {
    if (doubled) sums_ = scratch.add<std::byte>(elements() * static_cast<std::int64_t>(bytes(element)));
  }

  ConstArray make(void* stream, const Memory& memory) const {
    if (!doubled_) return const_array(weight_, memory);
    const Array sums{sums_.in(memory), element_};
    launch<sum_weights_kernel>(blocks_for(elements()), block_threads, 0, stream, static_cast<int>(weight_.shape[0]),
                               static_cast<int>(weight_.shape[3]), memory.at<const float>(weight_), order_, sums);
    return {sums.data, sums.element};
  }

 private:
  std::int64_t elements() const { return weight_.shape[0] * 16 * weight_.shape[3]; }

  Tensor weight_;
  bool doubled_;
  Element element_;
  TapOrder order_;
  Slot<std::byte> sums_;
};

}  // namespace kernels::BACKEND
