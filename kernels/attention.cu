#include "kernels/attention.h"

#include "kernels/gpu_attention.h"
#include "kernels/gpu_choice.h"
#include "kernels/reduce.h"
#include "kernels/scratch.h"

namespace kernels::BACKEND {
namespace {

unsigned blocks_of(std::int64_t extent, int of) {
  return static_cast<unsigned>((extent + of - 1) / of);
}

template <int width, typename Scores, typename Output>
Step attend(const Attention& op, const AttentionSize& s, void* stream) {
  return {[=](const Memory& memory) {
    using Rows = Matrix<width, Along::k>;
    using Columns = Matrix<width, Along::rows>;
    const ConstArray qkv = const_array(op.qkv, memory);
    const Heads<Scores, width> rows{s, 0, s.n};
    const Heads<Output, width> columns{s, 0, s.n};
    launch<attention_kernel<Scores, Output, Rows, Columns, StoreMatrix<width>>>(
        dim3(blocks_of(s.tokens, Scores::rows), blocks_of(s.d, Output::columns),
             static_cast<unsigned>(s.n) * static_cast<unsigned>(s.heads)),
        Scores::threads, AttentionMemory<Scores, Output, Rows, Columns>::bytes, stream, s,
        rows.template third<Along::k>(qkv, 0), rows.template third<Along::k>(qkv, 1),
        columns.template third<Along::rows>(qkv, 2), columns.store(array(op.y, memory), s.c),
        memory.at<float>(op.logsumexp));
  }};
}

constexpr int warps_of_block = 8;

/// products[n,heads,tokens]: of each row of a head of dy[n,tokens,c] and y.
__global__ void __launch_bounds__(32 * warps_of_block)
    row_products_kernel(std::int64_t rows, int tokens, int heads, int d, ConstArray dy, ConstArray y, float* products) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * warps_of_block + threadIdx.x / 32;
  if (row >= rows) return;
  const std::int64_t image = row / tokens / heads, head = row / tokens % heads, token = row % tokens;
  const std::int64_t first = ((image * tokens + token) * heads + head) * d;
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x) % 32; i < d; i += 32)
    sum += dy.at<1>(first + i).value[0] * y.at<1>(first + i).value[0];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) products[row] = sum;
}

/// Of a block of rows and keys of a head: its probabilities P, and the gradient of its scores, P (dP - <dy, y>)/sqrt(d)
/// with dP = dy v^T. Both are [tokens,tokens] of one head after the other, as a tile takes its operands.
template <typename Tile, int width, typename Rows>
__global__ void __launch_bounds__(Tile::threads)
    scores_kernel(AttentionSize s, const Rows q, const Rows k, const Rows dy, const Rows v, const float* logsumexp,
                  const float* products, typename Tile::Element* probabilities, typename Tile::Element* gradient) {
  using Size = SharedSize<Tile, Rows, Rows>;
  constexpr int line = Size::sums_line;
  DYNAMIC_SHARED(unsigned char, memory);
  auto* const panels = reinterpret_cast<typename Tile::Element*>(memory);
  float *const dp = reinterpret_cast<float*>(memory), *const scores = reinterpret_cast<float*>(memory + Size::bytes);
  const int row = static_cast<int>(blockIdx.x) * Tile::rows, column = static_cast<int>(blockIdx.y) * Tile::columns;
  const auto multiply = [&](const Rows& a, const Rows& b, float* to) {
    Tile tile;
    add_products<Along::k, Along::k>(tile, Feed<Tile, Tile::rows, Rows>(a, row, panels),
                                     Feed<Tile, Tile::columns, Rows>(b, column, panels + Size::a), 0, s.d);
    __syncthreads();
    tile.each([&](int i, int j, float sum) { to[i * line + j] = sum; });
    __syncthreads();
  };
  multiply(q, k, scores);
  multiply(dy, v, dp);

  const std::int64_t first = static_cast<std::int64_t>(blockIdx.z) * s.tokens;
  const ResultSize size{s.tokens, s.tokens, Tile::rows, Tile::columns};
  each_sum<width>(size, dp, line, row, column, [&](int i, int j, Pack<width> of_score) {
    Pack<width> p = load<width>(scores + (i - row) * line + j - column);
#pragma unroll
    for (int e = 0; e < width; ++e) {
      p.value[e] = fast_exp(s.scale * p.value[e] - logsumexp[first + i]);
      of_score.value[e] = softmax_gradient(p.value[e], of_score.value[e], products[first + i], s.scale);
    }
    store(probabilities + (first + i) * s.tokens + j, p);
    store(gradient + (first + i) * s.tokens + j, of_score);
  });
}

template <int width, typename Tile>
class AttentionBackward {
  using Element = typename Tile::Element;
  using Rows = Matrix<width, Along::k>;

 public:
  AttentionBackward(const AttentionGradient& op, const AttentionSize& s, ScratchLayout& scratch)
      : op_(op),
        s_(s),
        probabilities_(scratch.add<Element>(s.rows(images()) * s.tokens)),
        gradient_(scratch.add<Element>(s.rows(images()) * s.tokens)),
        products_(scratch.add<float>(s.rows(s.n))) {}

  void run(void* stream, const Memory& memory) const {
    launch<row_products_kernel>(blocks_of(s_.rows(s_.n), warps_of_block), 32 * warps_of_block, 0, stream, s_.rows(s_.n),
                                s_.tokens, s_.heads, s_.d, const_array(op_.dy, memory), const_array(op_.y, memory),
                                products_.in(memory));
    for (int first = 0; first < s_.n; first += images())
      run(stream, memory, Heads<Tile, width>{s_, first, std::min(images(), s_.n - first)});
  }

 private:
  /// How many images' scores are in memory at a time: some 256 MiB of each kind.
  int images() const {
    constexpr std::int64_t most = (256 << 20) / sizeof(Element);
    return static_cast<int>(std::clamp<std::int64_t>(most / s_.rows(1) / s_.tokens, 1, s_.n));
  }
  template <Along along>
  Matrix<width, along> square(const Element* data) const {
    const std::int64_t elements = std::int64_t{s_.tokens} * s_.tokens;
    return {ConstArray{data, element_of<Element>()},
            s_.tokens,
            s_.tokens,
            s_.tokens,
            {s_.heads, s_.heads * elements, elements}};
  }

  void run(void* stream, const Memory& memory, const Heads<Tile, width>& at) const {
    const ConstArray qkv = const_array(op_.qkv, memory), dy = const_array(op_.dy, memory);
    Element *const probabilities = probabilities_.in(memory), *const gradient = gradient_.in(memory);
    const int heads = at.count * s_.heads;
    launch<scores_kernel<Tile, width, Rows>>(
        dim3(blocks_of(s_.tokens, Tile::rows), blocks_of(s_.tokens, Tile::columns), static_cast<unsigned>(heads)),
        Tile::threads, SharedSize<Tile, Rows, Rows>::bytes + SharedSize<Tile, Rows, Rows>::sums_bytes, stream, s_,
        at.template third<Along::k>(qkv, 0), at.template third<Along::k>(qkv, 1), at.template result<Along::k>(dy),
        at.template third<Along::k>(qkv, 2), memory.at<const float>(op_.logsumexp) + s_.rows(at.first),
        products_.in(memory) + s_.rows(at.first), probabilities, gradient);
    const ProductSize size{s_.tokens, s_.d, s_.tokens, s_.tokens, heads};
    const auto store = [&](int third) { return at.store(array(op_.dqkv, memory), 3 * s_.c, third); };
    product<Tile>(stream, size, square<Along::k>(gradient), at.template third<Along::rows>(qkv, 1), store(0));
    product<Tile>(stream, size, square<Along::rows>(gradient), at.template third<Along::rows>(qkv, 0), store(1));
    product<Tile>(stream, size, square<Along::rows>(probabilities), at.template result<Along::rows>(dy), store(2));
  }

  AttentionGradient op_;
  AttentionSize s_;
  Slot<Element> probabilities_, gradient_;  // [images,heads,tokens,tokens]
  Slot<float> products_;                    // [n,heads,tokens]
};

template <int width, typename Tile>
Step attend_backward(const AttentionGradient& op, const AttentionSize& s, void* stream) {
  ScratchLayout scratch;
  const AttentionBackward<width, Tile> backward(op, s, scratch);
  return {[=](const Memory& memory) { backward.run(stream, memory); }, scratch.bytes()};
}

}  // namespace

template <>
Step prepare(const Attention& op, const GpuContext& context) {
  const AttentionSize s(AttentionExtents(op.qkv, op.y, op.logsumexp, op.heads));
  if (by_tensor_cores({op.qkv, op.y}, {s.d}))
    return s.d <= 64 ? attend<group, MmaTile<64, 128, 32, 32>, MmaTile<64, 64, 32, 16>>(op, s, context.stream)
                     : attend<group, MmaTile<64, 128, 32, 32>, MmaTile<64, 256, 32, 64>>(op, s, context.stream);
  return with_groups(
      {s.d}, [&](auto width) { return attend<width, FmaTile<64, 128>, FmaTile<64, 128>>(op, s, context.stream); });
}

template <>
Step prepare(const AttentionGradient& op, const GpuContext& context) {
  const AttentionSize s(AttentionExtents(op.qkv, op.y, op.logsumexp, op.heads));
  ensure(op.dy.shape == op.y.shape && op.dqkv.shape == op.qkv.shape, "a gradient has the shape of its tensor");
  if (by_tensor_cores({op.qkv, op.dy, op.dqkv}, {s.d, s.tokens}))
    return attend_backward<group, MmaTile<64, 64, 32, 32>>(op, s, context.stream);
  return with_groups({s.d, s.tokens},
                     [&](auto width) { return attend_backward<width, FloatTile>(op, s, context.stream); });
}

}  // namespace kernels::BACKEND
