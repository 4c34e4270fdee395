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
inline PixelsInOrder pixels_in_order(const ImageSize& size) {
  return {static_cast<int>(size.n), static_cast<int>(size.h), static_cast<int>(size.w)};
}

inline StatisticsOfGroups statistics_of(const Prologue& prologue, std::int64_t channels, const Memory& memory) {
  if (!prologue.statistics) return {nullptr, 1, static_cast<int>(channels)};
  const std::int64_t groups = prologue.statistics.shape[1];
  return {memory.at<const float2>(prologue.statistics), static_cast<int>(groups), static_cast<int>(channels / groups)};
}

/// The order in which a tile's product sums over taps and channels.
template <typename Tile>
using SummedTaps =
    std::conditional_t<std::is_same_v<typename Tile::Element, Bf16>, TapsInSteps<Tile::depth>, TapsInOrder>;

/// Whether a prologue changes nothing.
inline bool is_source(const Prologue& prologue) {
  return !prologue.coefficients && prologue.activation == Activation::none && prologue.dropout.rate == 0 &&
         prologue.resample == Resample::none;
}

/// Whether a convolution works on its source as it is before it is doubled, see gpu_doubled_conv.h.
inline bool is_doubled(const ConvExtents& extents, const Prologue& prologue) {
  return prologue.resample == Resample::up && extents.size.r == 3;
}

/// A convolution's sources with their prologue.
class ConvSources {
 public:
  ConvSources(const ConvExtents& extents, const In& x0, const In& x1, const Prologue& prologue)
      : extents_(extents), x0_(x0), x1_(x1), prologue_(prologue) {
    check_prologue(extents.in, x0, x1, prologue);
    if (is_doubled(extents, prologue)) prologue_.resample = Resample::none, extents_.v = extents_.in;
  }

  /// As they are read but for a filter; they may be absent where nothing asks for their values.
  template <int width>
  Source<width> as_read(const Memory& memory) const {
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

 protected:
  ConvExtents extents_;
  In x0_, x1_;
  Prologue prologue_;
};

/// What a convolution multiplies: its sources where they lie or, after a prologue, made in scratch. On their way into a
/// product they would be made anew for each tap and by every block of columns.
class PatchSource : ConvSources {
 public:
  PatchSource(const ConvExtents& extents, const In& x0, const In& x1, const Prologue& prologue, ScratchLayout& scratch)
      : ConvSources(extents, x0, x1, prologue),
        made_(scratch.add<std::byte>(
            is_source(prologue_) ? 0 : extents_.v.elements() * static_cast<std::int64_t>(bytes(x0.element)))) {}

  template <int width>
  Source<width> make(void* stream, const Memory& memory) const {
    const Source<width> source = as_read<width>(memory);
    if (is_source(prologue_)) return source;
    const Array v{made_.in(memory), x0_.element};
    make_resized(stream, source, prologue_.resample, v);
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
  Slot<std::byte> made_;
};

}  // namespace kernels::BACKEND
