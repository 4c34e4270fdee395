// Softmax self-attention over the pixels of each image.
#pragma once

#include <tuple>

#include "kernels/cpu_context.h"
#include "kernels/tensor.h"

namespace kernels {

/// y[n,h,w,c] = softmax(q k^T / sqrt(d)) v for each of `heads` heads of d = c/heads channels (Vaswani et al. 2017).
/// qkv[n,h,w,3c]: q, k and v are the three thirds of the channels, the heads consecutive in each.
/// logsumexp[n,heads,h*w]: of each row of the scaled scores, kept for the gradient.
struct Attention {
  In qkv;
  int heads = 1;
  Out y, logsumexp;
  auto operands() { return std::tie(qkv, y, logsumexp); }
};

/// dqkv[n,h,w,3c] = gradient with respect to qkv.
struct AttentionGradient {
  In qkv, y, logsumexp, dy;
  int heads = 1;
  Out dqkv;
  auto operands() { return std::tie(qkv, y, logsumexp, dy, dqkv); }
};

/// Throws logic_error unless these have the shapes above.
inline void check_attention(const Tensor& qkv, const Tensor& y, const Tensor& logsumexp, int heads) {
  const std::int64_t n = qkv.shape[0], h = qkv.shape[1], w = qkv.shape[2], c = qkv.shape[3] / 3;
  ensure(qkv.shape[3] == 3 * c && c % heads == 0, "attention's channels are q, k, v of whole heads");
  ensure(y.shape == Shape{n, h, w, c}, "attention's output is [n,h,w,c]");
  ensure(logsumexp.shape == Shape{n, heads, h * w}, "attention's logsumexp is [n,heads,h*w]");
}

Step prepare(const Attention&, const CpuContext&);
Step prepare(const AttentionGradient&, const CpuContext&);

}  // namespace kernels
