// Softmax self-attention over the pixels of each image.
#pragma once

#include <tuple>

#include "kernels/cpu_context.h"
#include "kernels/portable.h"
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

/// The extents of an attention, d channels to a head. Throws logic_error unless the operands have the shapes above.
struct AttentionExtents {
  AttentionExtents(const Tensor& qkv, const Tensor& y, const Tensor& logsumexp, int head_count);
  std::int64_t n, tokens, c, heads, d;
  float scale;  // of the scores: 1/sqrt(d)
};

/// Of a scaled score, whose probability is p, that of its row having the gradient dp, and <dy, y> the row's product.
PORTABLE float softmax_gradient(float p, float dp, float product, float scale) {
  return p * (dp - product) * scale;
}

Step prepare(const Attention&, const CpuContext&);
Step prepare(const AttentionGradient&, const CpuContext&);

}  // namespace kernels
