#include "kernels/attention.h"

#include "kernels/gpu_choice.h"
#include "kernels/gpu_matrix.h"
#include "kernels/math.h"
#include "kernels/reduce.h"
#include "kernels/scratch.h"

namespace kernels::BACKEND {
namespace {

constexpr unsigned warps_of_block = 8;

/// The row that the running warp works on: warp after warp over all blocks.
__device__ std::int64_t row_of_warp() {
  return static_cast<std::int64_t>(blockIdx.x) * warps_of_block + threadIdx.x / 32;
}
unsigned blocks_for_rows(std::int64_t rows) {
  return static_cast<unsigned>((rows + warps_of_block - 1) / warps_of_block);
}
__device__ float largest_of_warp(float value) {
  for (int bits = 16; bits > 0; bits /= 2) value = max(value, __shfl_xor_sync(~0u, value, bits));
  return value;
}

/// scores[rows,count] become their softmax, row by row; logsumexp[rows].
__global__ void __launch_bounds__(32 * warps_of_block)
    softmax_kernel(std::int64_t rows, int count, float* scores, float* logsumexp) {
  const std::int64_t row = row_of_warp();
  if (row >= rows) return;
  float* const values = scores + row * count;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float shift = -INFINITY, sum = 0;
  for (int i = lane; i < count; i += 32) shift = max(shift, values[i]);
  shift = largest_of_warp(shift);
  for (int i = lane; i < count; i += 32) sum += fast_exp(values[i] - shift);
  sum = warp_sum(sum);
  for (int i = lane; i < count; i += 32) values[i] = fast_exp(values[i] - shift) / sum;
  if (lane == 0) logsumexp[row] = shift + std::log(sum);
}

/// products[n,heads,tokens]: of each row of a head of dy[n,tokens,c] and y.
__global__ void __launch_bounds__(32 * warps_of_block)
    row_products_kernel(std::int64_t rows, int tokens, int heads, int d, ConstArray dy, ConstArray y, float* products) {
  const std::int64_t row = row_of_warp();
  if (row >= rows) return;
  const std::int64_t image = row / tokens / heads, head = row / tokens % heads, token = row % tokens;
  const std::int64_t first = ((image * tokens + token) * heads + head) * d;
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x) % 32; i < d; i += 32)
    sum += dy.at<1>(first + i).value[0] * y.at<1>(first + i).value[0];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) products[row] = sum;
}

/// probabilities = exp(scale sums - logsumexp of the row).
template <int width>
struct StoreProbabilities {
  ResultSize size;
  float scale;
  const float* logsumexp;  // of this and the following heads
  float* to;
  __device__ void operator()(const float* sums, int line, int row, int column) const {
    const std::int64_t first = static_cast<std::int64_t>(blockIdx.z) * size.rows;
    each_sum<width>(size, sums, line, row, column, [&](int i, int j, Pack<width> pack) {
#pragma unroll
      for (int e = 0; e < width; ++e) pack.value[e] = fast_exp(scale * pack.value[e] - logsumexp[first + i]);
      store(to + (first + i) * size.columns + j, pack);
    });
  }
};

/// The gradient of the scores, P (dP - <dy, y>) / sqrt(d), from dP.
template <int width>
struct StoreScoreGradient {
  ResultSize size;
  float scale;
  const float *probabilities, *products;
  float* to;
  __device__ void operator()(const float* sums, int line, int row, int column) const {
    const std::int64_t first = static_cast<std::int64_t>(blockIdx.z) * size.rows;
    each_sum<width>(size, sums, line, row, column, [&](int i, int j, Pack<width> pack) {
      const std::int64_t at = (first + i) * size.columns + j;
      const Pack<width> p = load<width>(probabilities + at);
#pragma unroll
      for (int e = 0; e < width; ++e)
        pack.value[e] = softmax_gradient(p.value[e], pack.value[e], products[first + i], scale);
      store(to + at, pack);
    });
  }
};

struct AttentionSize {
  int n, tokens, c, heads, d;
  float scale;
  explicit AttentionSize(const AttentionExtents& of)
      : n(static_cast<int>(of.n)),
        tokens(static_cast<int>(of.tokens)),
        c(static_cast<int>(of.c)),
        heads(static_cast<int>(of.heads)),
        d(static_cast<int>(of.d)),
        scale(of.scale) {}

  /// How many images' scores are in memory at a time: some 256 MiB of them.
  int images() const {
    constexpr std::int64_t most = 64 << 20;
    return static_cast<int>(std::clamp<std::int64_t>(most / (std::int64_t{heads} * tokens * tokens), 1, n));
  }
  std::int64_t rows(int images) const { return std::int64_t{images} * heads * tokens; }
};

/// The matrices of the heads of some images, from the first of them on.
template <int width>
struct Heads {
  AttentionSize s;
  int first, count;

  HeadOffset offset(std::int64_t channels) const { return {s.heads, s.tokens * channels, s.d}; }
  HeadOffset scores_offset() const {
    const std::int64_t scores = std::int64_t{s.tokens} * s.tokens;
    return {s.heads, s.heads * scores, scores};
  }
  template <typename T>
  ArrayOf<T> from(const ArrayOf<T>& array, std::int64_t channels, int third) const {
    const std::int64_t skip = std::int64_t{first} * s.tokens * channels + third * s.c;
    const auto element = static_cast<std::int64_t>(bytes(array.element));
    return {
        static_cast<std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>*>(array.data) + skip * element,
        array.element};
  }
  /// q, k or v of qkv, by `third`, or of its gradient.
  template <Along along>
  Matrix<width, along> third(const ConstArray& qkv, int which) const {
    return {from(qkv, 3 * s.c, which), s.tokens, s.d, 3 * s.c, offset(3 * s.c)};
  }
  /// Of y or its gradient.
  template <Along along>
  Matrix<width, along> result(const ConstArray& y) const {
    return {from(y, s.c, 0), s.tokens, s.d, s.c, offset(s.c)};
  }
  template <Along along>
  Matrix<width, along> scores(const float* data) const {
    return {{data}, s.tokens, s.tokens, s.tokens, scores_offset()};
  }
  ProductSize product_size(int columns, int k) const { return {s.tokens, columns, k, k, count * s.heads}; }
  template <typename Tile>
  ResultSize result_size(int columns) const {
    return {s.tokens, columns, Tile::rows, Tile::columns};
  }
};

template <int width, typename Tile>
Step attend(const Attention& op, const AttentionSize& s, void* stream) {
  ScratchLayout scratch;
  const auto scores_slot = scratch.add<float>(s.rows(s.images()) * s.tokens);
  return {[=](const Memory& memory) {
            float *const scores = scores_slot.in(memory), *const logsumexp = memory.at<float>(op.logsumexp);
            const ConstArray qkv = const_array(op.qkv, memory);
            for (int first = 0; first < s.n; first += s.images()) {
              const Heads<width> at{s, first, std::min(s.images(), s.n - first)};
              product<Tile>(stream, at.product_size(s.tokens, s.d), at.template third<Along::k>(qkv, 0),
                            at.template third<Along::k>(qkv, 1),
                            StoreMatrix<width>{.size = at.template result_size<Tile>(s.tokens),
                                               .to = {scores},
                                               .stride = s.tokens,
                                               .offset = at.scores_offset(),
                                               .scale = s.scale});
              launch<softmax_kernel>(blocks_for_rows(s.rows(at.count)), 32 * warps_of_block, 0, stream,
                                     s.rows(at.count), s.tokens, scores, logsumexp + s.rows(first));
              product<Tile>(stream, at.product_size(s.d, s.tokens), at.template scores<Along::k>(scores),
                            at.template third<Along::rows>(qkv, 2),
                            StoreMatrix<width>{.size = at.template result_size<Tile>(s.d),
                                               .to = at.from(array(op.y, memory), s.c, 0),
                                               .stride = s.c,
                                               .offset = at.offset(s.c)});
            }
          },
          scratch.bytes()};
}

template <int width, typename Tile>
Step attend_gradient(const AttentionGradient& op, const AttentionSize& s, void* stream) {
  ScratchLayout scratch;
  const auto probabilities_slot = scratch.add<float>(s.rows(s.images()) * s.tokens),
             gradient_slot = scratch.add<float>(s.rows(s.images()) * s.tokens),
             products_slot = scratch.add<float>(s.rows(s.n));
  return {[=](const Memory& memory) {
            float *const probabilities = probabilities_slot.in(memory), *const gradient = gradient_slot.in(memory),
                         *const products = products_slot.in(memory);
            const ConstArray qkv = const_array(op.qkv, memory), dy = const_array(op.dy, memory);
            launch<row_products_kernel>(blocks_for_rows(s.rows(s.n)), 32 * warps_of_block, 0, stream, s.rows(s.n),
                                        s.tokens, s.heads, s.d, dy, const_array(op.y, memory), products);
            for (int first = 0; first < s.n; first += s.images()) {
              const Heads<width> at{s, first, std::min(s.images(), s.n - first)};
              const ResultSize square = at.template result_size<Tile>(s.tokens);
              product<Tile>(stream, at.product_size(s.tokens, s.d), at.template third<Along::k>(qkv, 0),
                            at.template third<Along::k>(qkv, 1),
                            StoreProbabilities<width>{
                                square, s.scale, memory.at<const float>(op.logsumexp) + s.rows(first), probabilities});
              product<Tile>(
                  stream, at.product_size(s.tokens, s.d), at.template result<Along::k>(dy),
                  at.template third<Along::k>(qkv, 2),
                  StoreScoreGradient<width>{square, s.scale, probabilities, products + s.rows(first), gradient});
              const auto store_third = [&](int which) {
                return StoreMatrix<width>{.size = at.template result_size<Tile>(s.d),
                                          .to = at.from(array(op.dqkv, memory), 3 * s.c, which),
                                          .stride = 3 * s.c,
                                          .offset = at.offset(3 * s.c)};
              };
              const ProductSize size = at.product_size(s.d, s.tokens);
              product<Tile>(stream, size, at.template scores<Along::k>(gradient),
                            at.template third<Along::rows>(qkv, 1), store_third(0));
              product<Tile>(stream, size, at.template scores<Along::rows>(gradient),
                            at.template third<Along::rows>(qkv, 0), store_third(1));
              product<Tile>(stream, size, at.template scores<Along::rows>(probabilities),
                            at.template result<Along::rows>(dy), store_third(2));
            }
          },
          scratch.bytes()};
}

/// Calls f(width, tile) with those for products of heads.
template <typename F>
Step with_heads(const AttentionSize& s, std::initializer_list<Tensor> activations, const F& f) {
  if (by_tensor_cores(activations, {s.d, s.tokens}))
    return f(std::integral_constant<int, group>{}, std::type_identity<MmaTile<64, 64, 32, 32>>{});
  return with_groups({s.d, s.tokens}, [&](auto width) { return f(width, std::type_identity<FloatTile>{}); });
}

}  // namespace

template <>
Step prepare(const Attention& op, const GpuContext& context) {
  const AttentionSize s(AttentionExtents(op.qkv, op.y, op.logsumexp, op.heads));
  return with_heads(s, {op.qkv, op.y}, [&](auto width, auto tile) {
    return attend<width, typename decltype(tile)::type>(op, s, context.stream);
  });
}

template <>
Step prepare(const AttentionGradient& op, const GpuContext& context) {
  const AttentionSize s(AttentionExtents(op.qkv, op.y, op.logsumexp, op.heads));
  ensure(op.dy.shape == op.y.shape && op.dqkv.shape == op.qkv.shape, "a gradient has the shape of its tensor");
  return with_heads(s, {op.qkv, op.dy, op.dqkv}, [&](auto width, auto tile) {
    return attend_gradient<width, typename decltype(tile)::type>(op, s, context.stream);
  });
}

}  // namespace kernels::BACKEND
