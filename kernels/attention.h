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

Step prepare(const Attention&, const CpuContext&);
Step prepare(const AttentionGradient&, const CpuContext&);

}  // namespace kernels
