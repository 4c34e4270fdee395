// The way of a convolution's sources through its prologue, v = resample(dropout(activation(a x + b))), and back.
#pragma once

#include "kernels/conv_extents.h"
#include "kernels/fir.h"
#include "kernels/parallel.h"
#include "kernels/scratch.h"
#include "kernels/vector_kernels.h"

namespace kernels {

class PrologueKernel {
 public:
  /// `size` is the concatenated source's; x0 and x1 are looked at only where there is a norm or an activation, or by
  /// `forward`. Reserves what both directions need.
  PrologueKernel(const ImageSize& size, const In& x0, const In& x1, const Prologue& prologue, int threads,
                 ScratchLayout& scratch);

  /// v is x0 itself: float, and nothing is done to it.
  bool is_identity() const { return is_plain() && !x1_ && x0_.element == Element::f32; }
  /// Writes v[n,h',w',c].
  void forward(const Memory& memory, float* v) const;

  /// Whether row() makes a row of v at no more cost than forward() does: a doubled or filtered row's source would be
  /// computed several times.
  bool has_rows() const { return prologue_.resample != Resample::up && !has_fir(); }
  /// Writes one row v[w',c], once begin_rows() was called for the memory. Safe from several threads.
  void begin_rows(const Memory& memory) const;
  void row(const Memory& memory, std::int64_t image, std::int64_t row, float* v) const;

  /// From dv[n,h',w',c], dz = scale * (dv/dz)^T dv and ConvDataGradient's sums, unless null.
  void reverse(const Memory& memory, float scale, const float* dv, float* dz, float* sums) const;

  /// The same in pieces: begin, then each of the
  /// RowBlocks of the source's images, also from several threads at once, then end. dv may be dz itself where nothing
  /// is resampled; then a block needs of dv only itself.
  void begin_reverse(const Memory& memory) const;
  void reverse(const Memory& memory, std::int64_t image, std::int64_t block, float scale, const float* dv,
               float* dz) const;
  void end_reverse(const Memory& memory, float* sums) const;

 private:
  struct ChannelMap {  // of one image, by channel: z = a x + b, and the norm's own mean and 1/std
    float *a, *b, *mean, *inverse_deviation;
  };

  bool is_plain() const { return !has_map() && !has_dropout() && prologue_.resample == Resample::none; }
  bool has_map() const { return prologue_.coefficients || prologue_.activation != Activation::none; }
  bool has_dropout() const { return prologue_.dropout.rate > 0; }
  bool has_fir() const { return !row_taps_.empty(); }
  ChannelMap channel_map(const Memory& memory, std::int64_t image) const;
  void fill_channel_maps(const Memory& memory) const;
  void drop_row(const Memory& memory, std::int64_t image, std::int64_t row, float* values) const;
  void source_row(const Memory& memory, std::int64_t image, std::int64_t row, float* u) const;
  void halved_row(const Memory& memory, std::int64_t image, std::int64_t row, float* v) const;
  void doubled_rows(const Memory& memory, std::int64_t image, std::int64_t row, float* v) const;
  void forward_fir(const Memory& memory, float* v) const;
  void resample_gradient_row(float scale, std::int64_t image, std::int64_t row, const float* dv, float* du) const;
  void fir_gradient_row(const Memory& memory, float scale, std::int64_t image, std::int64_t row, const float* dv,
                        float* du) const;
  void map_gradient_row(const Memory& memory, std::int64_t image, std::int64_t row, float* dz, float* sums) const;
  void combine_sums(const Memory& memory, float* sums) const;

  static const ChannelMaps<float>& maps(const float*) { return vector_maps().floats; }
  static const ChannelMaps<Bf16>& maps(const Bf16*) { return vector_maps().bf16; }
  std::size_t activation_index() const { return static_cast<std::size_t>(prologue_.activation); }

  ImageSize size_, output_;
  In x0_, x1_;
  std::int64_t c0_;  // channels of x0
  Prologue prologue_;
  int threads_;
  RowBlocks blocks_;
  std::vector<Taps> row_taps_, column_taps_;                    // of a FIR: by row and column of v
  std::vector<Taps> row_gradient_taps_, column_gradient_taps_;  // and of u
  Slot<float> channel_maps_;                                    // [n,4,c]
  Slot<float> rows_;                                            // [threads,2,w,c]
  Slot<float> filtered_;    // [n,h,w',c], of a FIR: filtered along w; or back along h
  Slot<float> block_sums_;  // [n,blocks,2,c]
};

}  // namespace kernels
