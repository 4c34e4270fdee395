#include <algorithm>

#include "kernels/conv_prologue.h"
#include "kernels/stored.h"

namespace kernels {
/// du = scale * resample^T(dv) of one row of the source, of a FIR: first along h, then along w.
void PrologueKernel::fir_gradient_row(const Memory& memory, float scale, std::int64_t image, std::int64_t row,
                                      const float* dv, float* du) const {
  const std::int64_t c = size_.c, stride = output_.row_elements();
  float* const filtered = filtered_.in(memory) + (image * size_.h + row) * stride;
  combine(row_gradient_taps_[static_cast<std::size_t>(row)], scale, dv + image * output_.h * stride, stride, filtered);
  for (std::int64_t p = 0; p < size_.w; ++p)
    combine(column_gradient_taps_[static_cast<std::size_t>(p)], 1, filtered, c, du + p * c);
}

/// The same of the other resamplings.
void PrologueKernel::resample_gradient_row(float scale, std::int64_t image, std::int64_t row, const float* dv,
                                           float* du) const {
  const std::int64_t c = size_.c, stride = output_.row_elements();
  if (prologue_.resample == Resample::none) {
    const float* in = dv + (image * size_.h + row) * stride;
    if (in == du && scale == 1) return;
#pragma omp simd
    for (std::int64_t i = 0; i < stride; ++i) du[i] = scale * in[i];
  } else if (prologue_.resample == Resample::up) {
    for (std::int64_t p = 0; p < size_.w; ++p) {
      const float* __restrict upper = dv + (image * output_.h + 2 * row) * stride + 2 * p * c;
      const float* __restrict lower = upper + stride;
      float* __restrict out = du + p * c;
#pragma omp simd
      for (std::int64_t i = 0; i < c; ++i) out[i] = scale * ((upper[i] + upper[c + i]) + (lower[i] + lower[c + i]));
    }
  } else {
    const float quarter = 0.25f * scale;
    for (std::int64_t p = 0; p < size_.w; ++p) {
      const float* __restrict in = dv + (image * output_.h + row / 2) * stride + p / 2 * c;
      float* __restrict out = du + p * c;
#pragma omp simd
      for (std::int64_t i = 0; i < c; ++i) out[i] = quarter * in[i];
    }
  }
}

/// Takes one row from du to dz in place and adds to the sums [2,c] of dz and dz (x - mean).
void PrologueKernel::map_gradient_row(const Memory& memory, std::int64_t image, std::int64_t row, float* dz,
                                      float* sums) const {
  const ChannelMap map = channel_map(memory, image);
  const In sources[] = {x0_, x1_};
  std::int64_t first = 0;
  for (const In& source : sources) {
    if (!source) continue;
    const std::int64_t channels = source.shape[3];
    with_stored(memory, source, [&](const auto* stored) {
      const auto* const x = stored + (image * size_.h + row) * size_.w * channels;
      maps(x).gradient[activation_index()]({size_.w, channels, size_.c, x, map.a + first, map.b + first},
                                           map.mean + first, dz + first, sums + first, sums + size_.c + first);
    });
    first += channels;
  }
}

void PrologueKernel::combine_sums(const Memory& memory, float* sums) const {
  const std::int64_t c = size_.c, blocks = blocks_.count();
  parallel_for(threads_, size_.n, [&](std::int64_t image) {
    const ChannelMap map = channel_map(memory, image);
    const float* const parts = block_sums_.in(memory) + image * blocks * 2 * c;
    for (std::int64_t i = 0; i < c; ++i) {
      double sum = 0, sum_centred = 0;
      for (std::int64_t block = 0; block < blocks; ++block) {
        sum += parts[block * 2 * c + i];
        sum_centred += parts[block * 2 * c + c + i];
      }
      sums[(image * c + i) * 2] = static_cast<float>(sum);
      sums[(image * c + i) * 2 + 1] = static_cast<float>(sum_centred * map.inverse_deviation[i]);
    }
  });
}

void PrologueKernel::begin_reverse(const Memory& memory) const {
  if (has_map()) fill_channel_maps(memory);
}

void PrologueKernel::reverse(const Memory& memory, std::int64_t image, std::int64_t block, float scale, const float* dv,
                             float* dz) const {
  if (is_plain() && dv == dz && scale == 1) return;
  float* const sums = has_map() ? block_sums_.in(memory) + (image * blocks_.count() + block) * 2 * size_.c : nullptr;
  if (sums) std::fill_n(sums, 2 * size_.c, 0.0f);
  for (std::int64_t row = blocks_.begin(block); row < blocks_.end(block); ++row) {
    float* const out = dz + (image * size_.h + row) * size_.row_elements();
    if (has_fir())
      fir_gradient_row(memory, scale, image, row, dv, out);
    else
      resample_gradient_row(scale, image, row, dv, out);
    drop_row(memory, image, row, out);
    if (sums) map_gradient_row(memory, image, row, out, sums);
  }
}

void PrologueKernel::end_reverse(const Memory& memory, float* sums) const {
  if (sums) combine_sums(memory, sums);
}

void PrologueKernel::reverse(const Memory& memory, float scale, const float* dv, float* dz, float* sums) const {
  begin_reverse(memory);
  parallel_for(threads_, size_.n * blocks_.count(),
               [&](std::int64_t i) { reverse(memory, i / blocks_.count(), i % blocks_.count(), scale, dv, dz); });
  end_reverse(memory, sums);
}

}  // namespace kernels
