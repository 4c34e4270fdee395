// How the three convolution records choose among kernels; for kernels only.
#pragma once

#include "kernels/conv_extents.h"
#include "kernels/gpu_choice.h"
#include "kernels/gpu_column_sums.h"
#include "kernels/gpu_conv_store.h"
#include "kernels/scratch.h"

namespace kernels::BACKEND {

/// A tensor that may be absent has no channels.
inline std::int64_t channels_of(const Tensor& images) {
  return images ? images.shape[3] : 0;
}

inline PixelRows pixel_rows(const ImageSize& size, int block) {
  return {static_cast<int>(size.n), static_cast<int>(size.h), static_cast<int>(size.w), block};
}
inline PixelRows pixels_in_order(const ImageSize& size) {
  return PixelRows::in_order(static_cast<int>(size.n), static_cast<int>(size.h), static_cast<int>(size.w));
}

inline StatisticsOfGroups statistics_of(const Prologue& prologue, std::int64_t channels, const Memory& memory) {
  if (!prologue.statistics) return {nullptr, 1, static_cast<int>(channels)};
  const std::int64_t groups = prologue.statistics.shape[1];
  return {memory.at<const float2>(prologue.statistics), static_cast<int>(groups), static_cast<int>(channels / groups)};
}

/// Whether a convolution works on its source as it is before it is doubled, see gpu_doubled_conv.h.
inline bool is_doubled(const ConvExtents& extents, const Prologue& prologue) {
  return prologue.resample == Resample::up && extents.size.r == 3;
}

/// What a convolution reads: its sources through their prologue while they are read or, filtered, in scratch.
class PatchSource {
 public:
  PatchSource(const ConvExtents& extents, const In& x0, const In& x1, const Prologue& prologue, ScratchLayout& scratch)
      : extents_(extents), x0_(x0), x1_(x1), prologue_(prologue) {
    check_prologue(extents.in, x0, x1, prologue);
    if (is_doubled(extents, prologue)) prologue_.resample = Resample::none, extents_.v = extents_.in;
    if (is_filter(prologue.resample))
      filtered_ = scratch.add<std::byte>(extents.v.elements() * static_cast<std::int64_t>(bytes(x0.element)));
  }

  /// As it is read; the sources may be absent where nothing asks for their values.
  template <int width>
  Source<width> unfiltered(const Memory& memory) const {
    const bool resamples = prologue_.resample == Resample::up || prologue_.resample == Resample::down;
    return {.x0 = const_array(x0_, memory),
            .x1 = const_array(x1_, memory),
            .n = static_cast<int>(extents_.in.n),
            .h = static_cast<int>(extents_.in.h),
            .w = static_cast<int>(extents_.in.w),
            .c0 = static_cast<int>(extents_.in.c - channels_of(x1_)),
            .c = static_cast<int>(extents_.in.c),
            .coefficients = memory.at<const float2>(prologue_.coefficients),
            .activation = prologue_.activation,
            .dropout = prologue_.dropout,
            .positions = memory.at<const std::int64_t>(prologue_.positions),
            .resample = resamples ? prologue_.resample : Resample::none,
            .v_h = static_cast<int>(extents_.v.h),
            .v_w = static_cast<int>(extents_.v.w)};
  }

  template <int width>
  Source<width> make(void* stream, const Memory& memory) const {
    Source<width> source = unfiltered<width>(memory);
    if (!is_filter(prologue_.resample)) return source;
    const Array v{filtered_.in(memory), x0_.element};
    launch<filter_kernel<width>>(blocks_for(extents_.v.elements() / width), block_threads, 0, stream, source,
                                 filter_of(prologue_.resample), source.v_h, source.v_w, v);
    return {.x0 = {v.data, v.element},
            .n = source.n,
            .h = source.v_h,
            .w = source.v_w,
            .c0 = source.c,
            .c = source.c,
            .v_h = source.v_h,
            .v_w = source.v_w};
  }

 private:
  ConvExtents extents_;
  In x0_, x1_;
  Prologue prologue_;
  Slot<std::byte> filtered_;
};

}  // namespace kernels::BACKEND
