#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/math.h"
#include "kernels/onednn.h"
#include "kernels/parallel.h"
#include "kernels/scratch.h"

namespace kernels {
namespace {

using onednn::Matrix;
using onednn::Transpose;

struct AttentionSize : AttentionExtents {
  using AttentionExtents::AttentionExtents;
  static constexpr std::int64_t max_rows = 64;  // of scores at a time: they stay in the second-level cache
  std::int64_t block_rows() const { return std::min(tokens, max_rows); }
  std::int64_t blocks() const { return (tokens + max_rows - 1) / max_rows; }
};

/// Some rows of one head of one image: where they begin in arrays with `channels` per token.
struct Rows {
  std::int64_t image, head, first, count;
  std::int64_t offset(const AttentionSize& s, std::int64_t channels, std::int64_t token) const {
    return (image * s.tokens + token) * channels + head * s.d;
  }
};

/// scores[rows,tokens] = q k^T / sqrt(d).
void score(const AttentionSize& s, const Rows& rows, const float* qkv, float* scores) {
  const float* const q = qkv + rows.offset(s, 3 * s.c, rows.first);
  const float* const k = qkv + rows.offset(s, 3 * s.c, 0) + s.c;
  onednn::multiply(rows.count, s.tokens, s.d, s.scale, Matrix{q, 3 * s.c}, Matrix{k, 3 * s.c, Transpose::yes}, 0,
                   scores, s.tokens);
}

float largest(std::int64_t count, const float* values) {
  float result = values[0];
#pragma omp simd reduction(max : result)
  for (std::int64_t i = 0; i < count; ++i) result = std::max(result, values[i]);
  return result;
}

/// values = exp(values - shift); returns their sum.
float exponentiate(std::int64_t count, float shift, float* values) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) {
    values[i] = fast_exp(values[i] - shift);
    sum += values[i];
  }
  return sum;
}

void forward(const AttentionSize& s, const Rows& rows, const float* qkv, float* scores, float* y, float* logsumexp) {
  score(s, rows, qkv, scores);
  float inverse_sum[AttentionSize::max_rows];
  for (std::int64_t i = 0; i < rows.count; ++i) {
    float* const row = scores + i * s.tokens;
    const float shift = largest(s.tokens, row), sum = exponentiate(s.tokens, shift, row);
    inverse_sum[i] = 1 / sum;
    logsumexp[(rows.image * s.heads + rows.head) * s.tokens + rows.first + i] = shift + std::log(sum);
  }
  const float* const v = qkv + rows.offset(s, 3 * s.c, 0) + 2 * s.c;
  float* const out = y + rows.offset(s, s.c, rows.first);
  onednn::multiply(rows.count, s.d, s.tokens, 1, Matrix{scores, s.tokens}, Matrix{v, 3 * s.c}, 0, out, s.c);
  for (std::int64_t i = 0; i < rows.count; ++i)
    for (std::int64_t j = 0; j < s.d; ++j) out[i * s.c + j] *= inverse_sum[i];
}

struct GradientArrays {
  const float *qkv, *y, *logsumexp, *dy;
  float* dqkv;
};

/// dS = P (dP - <dy, y>) / sqrt(d) row by row, in place of dP.
void softmax_gradient(const AttentionSize& s, const Rows& rows, const GradientArrays& at, const float* probabilities,
                      float* gradient) {
  const std::int64_t offset = rows.offset(s, s.c, rows.first);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const float* __restrict y = at.y + offset + i * s.c;
    const float* __restrict dy = at.dy + offset + i * s.c;
    float product = 0;
#pragma omp simd reduction(+ : product)
    for (std::int64_t j = 0; j < s.d; ++j) product += y[j] * dy[j];
    const float* __restrict p = probabilities + i * s.tokens;
    float* __restrict g = gradient + i * s.tokens;
#pragma omp simd
    for (std::int64_t j = 0; j < s.tokens; ++j) g[j] = kernels::softmax_gradient(p[j], g[j], product, s.scale);
  }
}

/// Adds to dk and dv what these rows give (the first rows overwrite), and writes their dq.
void gradient(const AttentionSize& s, const Rows& rows, const GradientArrays& at, float* probabilities, float* scores) {
  const std::int64_t stride = 3 * s.c, all = rows.offset(s, stride, 0), mine = rows.offset(s, stride, rows.first);
  const Matrix q{at.qkv + mine, stride}, k{at.qkv + all + s.c, stride};
  const Matrix dy{at.dy + rows.offset(s, s.c, rows.first), s.c};
  const float keep = rows.first == 0 ? 0 : 1;

  score(s, rows, at.qkv, probabilities);
  for (std::int64_t i = 0; i < rows.count; ++i)
    exponentiate(s.tokens, at.logsumexp[(rows.image * s.heads + rows.head) * s.tokens + rows.first + i],
                 probabilities + i * s.tokens);
  onednn::multiply(s.tokens, s.d, rows.count, 1, Matrix{probabilities, s.tokens, Transpose::yes}, dy, keep,
                   at.dqkv + all + 2 * s.c, stride);
  onednn::multiply(rows.count, s.tokens, s.d, 1, dy, Matrix{at.qkv + all + 2 * s.c, stride, Transpose::yes}, 0, scores,
                   s.tokens);
  softmax_gradient(s, rows, at, probabilities, scores);
  onednn::multiply(rows.count, s.d, s.tokens, 1, Matrix{scores, s.tokens}, k, 0, at.dqkv + mine, stride);
  onednn::multiply(s.tokens, s.d, rows.count, 1, Matrix{scores, s.tokens, Transpose::yes}, q, keep, at.dqkv + all + s.c,
                   stride);
}

}  // namespace

AttentionExtents::AttentionExtents(const Tensor& qkv, const Tensor& y, const Tensor& logsumexp, int head_count)
    : n(qkv.shape[0]),
      tokens(qkv.shape[1] * qkv.shape[2]),
      c(qkv.shape[3] / 3),
      heads(head_count),
      d(c / heads),
      scale(1 / std::sqrt(static_cast<float>(d))) {
  ensure(qkv.shape[3] == 3 * c && c % heads == 0, "attention's channels are q, k, v of whole heads");
  ensure(y.shape == Shape{n, qkv.shape[1], qkv.shape[2], c}, "attention's output is [n,h,w,c]");
  ensure(logsumexp.shape == Shape{n, heads, tokens}, "attention's logsumexp is [n,heads,h*w]");
}

Step prepare(const Attention& op, const CpuContext& context) {
  const AttentionSize s(op.qkv, op.y, op.logsumexp, op.heads);
  const int threads = context.threads;
  const std::int64_t block_elements = s.block_rows() * s.tokens;
  ScratchLayout scratch;
  const auto scores = scratch.add<float>(threads * block_elements);
  return {[=](const Memory& memory) {
            parallel_for(threads, s.n * s.heads * s.blocks(), [&](std::int64_t i) {
              const std::int64_t head = i / s.blocks(), first = i % s.blocks() * s.block_rows();
              const Rows rows{head / s.heads, head % s.heads, first, std::min(s.block_rows(), s.tokens - first)};
              forward(s, rows, memory.at<float>(op.qkv), scores.in(memory) + thread_number() * block_elements,
                      memory.at<float>(op.y), memory.at<float>(op.logsumexp));
            });
          },
          scratch.bytes()};
}

Step prepare(const AttentionGradient& op, const CpuContext& context) {
  const AttentionSize s(op.qkv, op.y, op.logsumexp, op.heads);
  ensure(op.dy.shape == op.y.shape && op.dqkv.shape == op.qkv.shape, "a gradient has the shape of its tensor");
  const int threads = context.threads;
  const std::int64_t block_elements = s.block_rows() * s.tokens;
  ScratchLayout scratch;
  const auto blocks = scratch.add<float>(threads * 2 * block_elements);  // probabilities and their gradient
  return {[=](const Memory& memory) {
            const GradientArrays at{memory.at<float>(op.qkv), memory.at<float>(op.y), memory.at<float>(op.logsumexp),
                                    memory.at<float>(op.dy), memory.at<float>(op.dqkv)};
            parallel_for(threads, s.n * s.heads, [&](std::int64_t head) {
              float* const probabilities = blocks.in(memory) + thread_number() * 2 * block_elements;
              for (std::int64_t first = 0; first < s.tokens; first += s.block_rows())
                gradient(s, {head / s.heads, head % s.heads, first, std::min(s.block_rows(), s.tokens - first)}, at,
                         probabilities, probabilities + block_elements);
            });
          },
          scratch.bytes()};
}

}  // namespace kernels
