#include "kernels/conv_epilogue.h"

#include <algorithm>

#include "kernels/simd.h"

namespace kernels {
namespace {

/// y = scale (y + add + residual) for the pixels of some rows.
template <typename Residual>
void finish_rows(std::int64_t pixels, std::int64_t k, float scale, const float* __restrict add,
                 const Residual* __restrict residual, float* __restrict y) {
  for (std::int64_t p = 0; p < pixels; ++p, y += k) {
    if (residual) {
#pragma omp simd
      for (std::int64_t c = 0; c < k; ++c) y[c] = scale * (y[c] + add[c] + widen(residual[p * k + c]));
    } else {
#pragma omp simd
      for (std::int64_t c = 0; c < k; ++c) y[c] = scale * (y[c] + add[c]);
    }
  }
}

/// Moments of `width` neighbouring channels, which stay in registers.
template <int width>
void measure_channels(std::int64_t pixels, std::int64_t k, const float* y, const BlockMoments& to, std::int64_t c) {
  using S = Simd<width>;
  const auto pivot = S::load(y + c);
  typename S::Vector sum{}, sum_squares{};
  for (std::int64_t p = 0; p < pixels; ++p) {
    const auto deviation = S::load(y + p * k + c) - pivot;
    sum += deviation;
    sum_squares += deviation * deviation;
  }
  S::store(to.pivot + c, pivot);
  S::store(to.sum + c, sum);
  S::store(to.sum_squares + c, sum_squares);
}

void measure_rows(std::int64_t pixels, std::int64_t k, const float* y, const BlockMoments& to) {
  std::int64_t c = 0;
  for (; c + 16 <= k; c += 16) measure_channels<16>(pixels, k, y, to, c);
  for (; c < k; ++c) measure_channels<1>(pixels, k, y, to, c);
}

void add_rows(std::int64_t pixels, std::int64_t k, const float* __restrict dy, double* __restrict sums) {
  for (std::int64_t p = 0; p < pixels; ++p, dy += k) {
#pragma omp simd
    for (std::int64_t c = 0; c < k; ++c) sums[c] += dy[c];
  }
}

}  // namespace

Epilogue::Epilogue(const Conv& op, const ImageSize& size, int threads, ScratchLayout& scratch)
    : op_(op), size_(size), blocks_{size.h}, threads_(threads), y_(op.y, scratch) {
  check_epilogue(op, size);
  add_ = scratch.add<float>(size.n * size.c);
  if (op.moments) block_moments_ = scratch.add<float>(size.n * blocks_.count() * BlockMoments::parts * size.c);
}

void Epilogue::begin(const Memory& memory) const {
  if (!is_identity()) fill_add(memory);
}

void Epilogue::finish(const Memory& memory, std::int64_t image, std::int64_t block) const {
  if (is_identity()) return;
  const std::int64_t k = size_.c, pixels = (blocks_.end(block) - blocks_.begin(block)) * size_.w;
  const std::int64_t offset = (image * size_.h + blocks_.begin(block)) * size_.row_elements();
  float* const y = result(memory) + offset;
  with_stored(memory, op_.residual, [&](const auto* residual) {
    finish_rows(pixels, k, op_.scale, add_.in(memory) + image * k, residual ? residual + offset : nullptr, y);
  });
  if (op_.moments) measure_rows(pixels, k, y, block_moments(memory, image * blocks_.count() + block));
  y_.store(memory, offset, pixels * k);
}

void Epilogue::end(const Memory& memory) const {
  if (op_.moments) combine_moments(memory);
}

void Epilogue::fill_add(const Memory& memory) const {
  const float* const bias = memory.at<float>(op_.bias);
  const float* const embedding = memory.at<float>(op_.embedding);
  for (std::int64_t i = 0; i < size_.n * size_.c; ++i)
    add_.in(memory)[i] = (bias ? bias[i % size_.c] : 0) + (embedding ? embedding[i] : 0);
}

BlockMoments Epilogue::block_moments(const Memory& memory, std::int64_t block) const {
  return {block_moments_.in(memory) + block * BlockMoments::parts * size_.c, size_.c};
}

/// Mean and variance of the whole image from its blocks, in their order.
void Epilogue::combine_moments(const Memory& memory) const {
  const std::int64_t k = size_.c, blocks = blocks_.count();
  float* const moments = memory.at<float>(op_.moments);
  parallel_for(threads_, size_.n, [&](std::int64_t image) {
    for (std::int64_t c = 0; c < k; ++c) {
      Moments all;
      for (std::int64_t b = 0; b < blocks; ++b) {
        const BlockMoments block = block_moments(memory, image * blocks + b);
        all.add({block.pivot[c], block.sum[c], block.sum_squares[c]},
                static_cast<double>((blocks_.end(b) - blocks_.begin(b)) * size_.w));
      }
      moments[2 * (image * k + c)] = all.mean();
      moments[2 * (image * k + c) + 1] = all.variance();
    }
  });
}

BiasGradient::BiasGradient(const ConvWeightGradient& op, const FloatCopy& dy, const ImageSize& size, int threads,
                           ScratchLayout& scratch)
    : op_(op), size_(size), blocks_{size.h}, threads_(threads), dy_(dy) {
  check_bias_gradient(op, size);
  block_sums_ = scratch.add<double>(size.n * blocks_.count() * size.c);
  image_sums_ = scratch.add<double>(size.n * size.c);
}

void BiasGradient::run(const Memory& memory) const {
  if (!op_.dbias && !op_.dembedding) return;
  sum_images(memory);
  const std::int64_t k = size_.c;
  const double* const image_sums = image_sums_.in(memory);
  if (float* const dembedding = memory.at<float>(op_.dembedding))
    for (std::int64_t i = 0; i < size_.n * k; ++i) dembedding[i] = static_cast<float>(op_.scale * image_sums[i]);
  if (float* const dbias = memory.at<float>(op_.dbias))
    for (std::int64_t c = 0; c < k; ++c) {
      double sum = 0;
      for (std::int64_t image = 0; image < size_.n; ++image) sum += image_sums[image * k + c];
      dbias[c] = static_cast<float>(op_.scale * sum + (op_.mode == Mode::accumulate ? dbias[c] : 0));
    }
}

void BiasGradient::sum_images(const Memory& memory) const {
  const std::int64_t k = size_.c, blocks = blocks_.count();
  double* const parts = block_sums_.in(memory);
  parallel_for(threads_, size_.n * blocks, [&](std::int64_t i) {
    const std::int64_t image = i / blocks, first = blocks_.begin(i % blocks), last = blocks_.end(i % blocks);
    std::fill_n(parts + i * k, k, 0.0);
    add_rows((last - first) * size_.w, k, dy_.in(memory) + (image * size_.h + first) * size_.row_elements(),
             parts + i * k);
  });
  for (std::int64_t i = 0; i < size_.n * k; ++i) {
    double sum = 0;
    for (std::int64_t block = 0; block < blocks; ++block) sum += parts[(i / k * blocks + block) * k + i % k];
    image_sums_.in(memory)[i] = sum;
  }
}

}  // namespace kernels
