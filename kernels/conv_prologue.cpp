#include "kernels/conv_prologue.h"

#include <algorithm>

#include "kernels/dropout.h"
#include "kernels/stored.h"

namespace kernels {
PrologueKernel::PrologueKernel(const ImageSize& size, const In& x0, const In& x1, const Prologue& prologue, int threads,
                               ScratchLayout& scratch)
    : size_(size),
      output_(resampled(size, prologue.resample)),
      x0_(x0),
      x1_(x1),
      c0_(x1 ? size.c - x1.shape[3] : size.c),
      prologue_(prologue),
      threads_(threads),
      blocks_{size.h} {
  check_prologue(size, x0, x1, prologue);
  if (has_map()) {
    channel_maps_ = scratch.add<float>(size.n * 4 * size.c);
    block_sums_ = scratch.add<float>(size.n * blocks_.count() * 2 * size.c);
  }
  if (prologue_.resample == Resample::stride) prologue_.resample = Resample::none;  // the convolution does all of it
  row_taps_ = fir_taps(prologue_.resample, size.h, output_.h);
  column_taps_ = fir_taps(prologue_.resample, size.w, output_.w);
  row_gradient_taps_ = transposed(row_taps_, size.h);
  column_gradient_taps_ = transposed(column_taps_, size.w);
  if (has_fir()) filtered_ = scratch.add<float>(size.n * size.h * output_.row_elements());
  if (prologue_.resample != Resample::none) rows_ = scratch.add<float>(threads * 2 * size.row_elements());
}

PrologueKernel::ChannelMap PrologueKernel::channel_map(const Memory& memory, std::int64_t image) const {
  float* const first = channel_maps_.in(memory) + image * 4 * size_.c;
  return {first, first + size_.c, first + 2 * size_.c, first + 3 * size_.c};
}

void PrologueKernel::fill_channel_maps(const Memory& memory) const {
  const float* const coefficients = memory.at<float>(prologue_.coefficients);
  const float* const statistics = memory.at<float>(prologue_.statistics);
  const std::int64_t groups = statistics ? prologue_.statistics.shape[1] : 1;
  for (std::int64_t image = 0; image < size_.n; ++image) {
    const ChannelMap map = channel_map(memory, image);
    for (std::int64_t c = 0; c < size_.c; ++c) {
      const std::int64_t pair = 2 * (image * size_.c + c), group = 2 * (image * groups + c / (size_.c / groups));
      map.a[c] = coefficients ? coefficients[pair] : 1;
      map.b[c] = coefficients ? coefficients[pair + 1] : 0;
      map.mean[c] = statistics ? statistics[group] : 0;
      map.inverse_deviation[c] = statistics ? statistics[group + 1] : 1;
    }
  }
}

void PrologueKernel::drop_row(const Memory& memory, std::int64_t image, std::int64_t row, float* values) const {
  if (has_dropout())
    drop(prologue_.dropout, memory.at<std::int64_t>(prologue_.positions)[image], row * size_.row_elements(),
         {values, static_cast<std::size_t>(size_.row_elements())});
}

/// u = dropout(activation(a x + b)) of one row of the source.
void PrologueKernel::source_row(const Memory& memory, std::int64_t image, std::int64_t row, float* u) const {
  const In sources[] = {x0_, x1_};
  std::int64_t first = 0;
  for (const In& source : sources) {
    if (!source) continue;
    const std::int64_t channels = source.shape[3];
    with_stored(memory, source, [&](const auto* stored) {
      const auto* const x = stored + (image * size_.h + row) * size_.w * channels;
      if (has_map()) {
        const ChannelMap map = channel_map(memory, image);
        maps(x).forward[activation_index()]({size_.w, channels, size_.c, x, map.a + first, map.b + first}, u + first);
      } else {
        for (std::int64_t p = 0; p < size_.w; ++p) load_values(channels, x + p * channels, u + p * size_.c + first);
      }
    });
    first += channels;
  }
  drop_row(memory, image, row, u);
}

/// One row of v from two of the source.
void PrologueKernel::halved_row(const Memory& memory, std::int64_t image, std::int64_t row, float* v) const {
  const std::int64_t c = size_.c, elements = size_.row_elements();
  float* const u = rows_.in(memory) + thread_number() * 2 * elements;
  source_row(memory, image, 2 * row, u);
  source_row(memory, image, 2 * row + 1, u + elements);
  for (std::int64_t p = 0; p < output_.w; ++p) {
    const float* __restrict upper = u + 2 * p * c;
    const float* __restrict lower = upper + elements;
    float* __restrict out = v + p * c;
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) out[i] = 0.25f * ((upper[i] + upper[c + i]) + (lower[i] + lower[c + i]));
  }
}

/// Two rows of v from one of the source.
void PrologueKernel::doubled_rows(const Memory& memory, std::int64_t image, std::int64_t row, float* v) const {
  const std::int64_t c = size_.c, elements = output_.row_elements();
  float* const u = rows_.in(memory) + thread_number() * 2 * size_.row_elements();
  source_row(memory, image, row, u);
  for (std::int64_t p = 0; p < output_.w; ++p) std::copy_n(u + p / 2 * c, c, v + p * c);
  std::copy_n(v, elements, v + elements);
}

/// First along w, then along h.
void PrologueKernel::forward_fir(const Memory& memory, float* v) const {
  const std::int64_t c = size_.c, out_elements = output_.row_elements();
  float* const filtered = filtered_.in(memory);
  parallel_for(threads_, size_.n * size_.h, [&](std::int64_t i) {
    float* const u = rows_.in(memory) + thread_number() * 2 * size_.row_elements();
    source_row(memory, i / size_.h, i % size_.h, u);
    for (std::int64_t p = 0; p < output_.w; ++p)
      combine(column_taps_[static_cast<std::size_t>(p)], 1, u, c, filtered + i * out_elements + p * c);
  });
  parallel_for(threads_, output_.n * output_.h, [&](std::int64_t i) {
    combine(row_taps_[static_cast<std::size_t>(i % output_.h)], 1, filtered + i / output_.h * size_.h * out_elements,
            out_elements, v + i * out_elements);
  });
}

void PrologueKernel::begin_rows(const Memory& memory) const {
  if (has_map()) fill_channel_maps(memory);
}

void PrologueKernel::row(const Memory& memory, std::int64_t image, std::int64_t row, float* v) const {
  prologue_.resample == Resample::down ? halved_row(memory, image, row, v) : source_row(memory, image, row, v);
}

void PrologueKernel::forward(const Memory& memory, float* v) const {
  begin_rows(memory);
  if (has_fir()) return forward_fir(memory, v);
  const std::int64_t rows = std::min(size_.h, output_.h), elements = output_.row_elements();
  parallel_for(threads_, size_.n * rows, [&](std::int64_t i) {
    const std::int64_t image = i / rows, at = i % rows;
    if (has_rows())
      row(memory, image, at, v + i * elements);
    else
      doubled_rows(memory, image, at, v + 2 * i * elements);
  });
}

}  // namespace kernels
