// The attention of a block of rows of one head, whose scores never leave the multiprocessor; for kernels only.
#pragma once

#include "kernels/attention.h"
#include "kernels/gpu_matrix.h"
#include "kernels/math.h"

namespace kernels::BACKEND {

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
  std::int64_t rows(int images) const { return std::int64_t{images} * heads * tokens; }
};

/// The matrices of the heads of `count` images, from the first of them on, as operands of a tile.
template <typename Tile, int width>
struct Heads {
  AttentionSize s;
  int first, count;

  HeadOffset offset(std::int64_t channels) const { return {s.heads, s.tokens * channels, s.d}; }
  template <typename T>
  ArrayOf<T> from(const ArrayOf<T>& array, std::int64_t channels, int third) const {
    const std::int64_t skip = std::int64_t{first} * s.tokens * channels + third * s.c;
    const auto element = static_cast<std::int64_t>(bytes(array.element));
    return {
        static_cast<std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>*>(array.data) + skip * element,
        array.element};
  }
  /// q, k or v of qkv, by `third`.
  template <Along along>
  Matrix<width, along> third(const ConstArray& qkv, int which) const {
    return {from(qkv, 3 * s.c, which), s.tokens, s.d, 3 * s.c, offset(3 * s.c)};
  }
  /// y or its gradient.
  template <Along along>
  Matrix<width, along> result(const ConstArray& y) const {
    return {from(y, s.c, 0), s.tokens, s.d, s.c, offset(s.c)};
  }
  /// Into an array with `channels` per token, of which a head's are those of one of its thirds; y has only the first.
  StoreMatrix<width> store(const Array& array, std::int64_t channels, int third = 0) const {
    return {.size = {s.tokens, s.d, Tile::rows, Tile::columns},
            .to = from(array, channels, third),
            .stride = channels,
            .offset = offset(channels)};
  }
};

/// The sum or another combination of `lanes` neighbouring threads' values, for each of them.
template <int lanes, typename F>
__device__ __forceinline__ float of_lanes(float value, const F& f) {
#pragma unroll
  for (int bits = lanes / 2; bits > 0; bits /= 2) value = f(value, __shfl_xor_sync(~0u, value, bits));
  return value;
}

/// The left operand of a tile's product where it lies in shared memory already: its panels, one a step.
template <typename Tile>
class Resident {
 public:
  using P = Panel<typename Tile::Element, Tile::rows, Tile::depth, Along::k>;
  __device__ explicit Resident(const typename Tile::Element* panels) : panels_(panels) {}
  __device__ static int at(int row, int k) { return k / Tile::depth * P::elements + P::at(row, k % Tile::depth); }
  __device__ const typename Tile::Element* panel(int step) const { return panels_ + step * P::elements; }
  __device__ void fetch(int, int) {}
  __device__ void put(int) {}

 private:
  const typename Tile::Element* panels_;
};

/// The softmax of rows whose scores come in blocks (Milakov and Gimelshein 2018): one thread's share of its row.
template <int lanes>
struct RowSoftmax {
  int row, lane;
  float largest = -INFINITY, sum = 0;  // of the scores so far; of this thread's exponentials of scores - largest
  __device__ RowSoftmax() : row(static_cast<int>(threadIdx.x) / lanes), lane(static_cast<int>(threadIdx.x) % lanes) {}

  /// Calls set(column, exponential) for the `columns` of a block, of which `keys` are there. Returns what all earlier
  /// exponentials are to be multiplied by.
  template <typename F>
  __device__ float add(const float* scores, int keys, int columns, const F& set) {
    float shift = largest;
    for (int j = lane; j < keys; j += lanes) shift = max(shift, scores[j]);
    shift = of_lanes<lanes>(shift, [](float a, float b) { return max(a, b); });
    const float factor = fast_exp(largest - shift);
    largest = shift;
    sum *= factor;
    for (int j = lane; j < columns; j += lanes) {
      const float exponential = j < keys ? fast_exp(scores[j] - shift) : 0;
      sum += exponential;
      set(j, exponential);
    }
    return factor;
  }
  /// Of all exponentials of the row.
  __device__ float row_sum() const {
    return of_lanes<lanes>(sum, [](float a, float b) { return a + b; });
  }
};

/// How shared memory is divided. First panels of q and k, then their scores, then panels of v, then sums of y.
template <typename Scores, typename Output, typename Rows, typename Columns>
struct AttentionMemory {
  using Element = typename Scores::Element;
  static constexpr int q = Feed<Scores, Scores::rows, Rows>::elements,
                       k = Feed<Scores, Scores::columns, Rows>::elements,
                       v = Feed<Output, Output::columns, Columns>::elements,
                       probabilities = Scores::columns / Output::depth * Resident<Output>::P::elements;
  static constexpr int scores_line = Scores::columns + 4, output_line = Output::columns + 4;
  static constexpr std::size_t of_operands = std::max(q + k, v) * sizeof(Element);
  static constexpr std::size_t of_scores = Scores::rows * scores_line * sizeof(float);
  static constexpr std::size_t probabilities_at = std::max(of_operands, of_scores);
  static constexpr std::size_t bytes =
      std::max(probabilities_at + probabilities * sizeof(Element), Output::rows* output_line * sizeof(float));
};

/// y and logsumexp of a block of rows of a head, in one pass over its keys (Dao et al. 2022). Block y of the grid makes
/// as many channels as the output's tile is wide.
template <typename Scores, typename Output, typename Rows, typename Columns, typename Store>
__global__ void __launch_bounds__(Scores::threads, Output::columns > 128 ? 1 : 2)
    attention_kernel(AttentionSize s, const Rows q, const Rows k, const Columns v, const Store store_y,
                     float* logsumexp) {
  using Shared = AttentionMemory<Scores, Output, Rows, Columns>;
  using Element = typename Scores::Element;
  static_assert(Scores::rows == Output::rows && Scores::threads == Output::threads);
  DYNAMIC_SHARED(unsigned char, memory);
  SHARED(float, factors, [Scores::rows]);
  auto *const panels = reinterpret_cast<Element*>(memory), *const probabilities = reinterpret_cast<Element*>(
                                                               memory + Shared::probabilities_at);
  float* const sums = reinterpret_cast<float*>(memory);
  const int row = static_cast<int>(blockIdx.x) * Scores::rows, column = static_cast<int>(blockIdx.y) * Output::columns;

  Output output;
  RowSoftmax<Scores::threads / Scores::rows> softmax;
  for (int first = 0; first < s.tokens; first += Scores::columns) {
    const int keys = min(Scores::columns, s.tokens - first);
    Scores scores;
    add_products<Along::k, Along::k>(scores, Feed<Scores, Scores::rows, Rows>(q, row, panels),
                                     Feed<Scores, Scores::columns, Rows>(k, first, panels + Shared::q), 0, s.d);
    __syncthreads();
    scores.each([&](int i, int j, float score) { sums[i * Shared::scores_line + j] = s.scale * score; });
    __syncthreads();
    const float factor =
        softmax.add(sums + softmax.row * Shared::scores_line, keys, Scores::columns, [&](int j, float exponential) {
          store(probabilities + Resident<Output>::at(softmax.row, j), Pack<1>{{exponential}});
        });
    if (softmax.lane == 0) factors[softmax.row] = factor;
    __syncthreads();
    output.each([&](int i, int, float& sum) { sum *= factors[i]; });
    add_products<Along::k, Along::rows>(output, Resident<Output>(probabilities),
                                        Feed<Output, Output::columns, Columns>(v, column, panels), first, first + keys);
    __syncthreads();
  }
  const float sum = softmax.row_sum();
  if (softmax.lane == 0) {
    factors[softmax.row] = 1 / sum;
    if (column == 0 && row + softmax.row < s.tokens)
      logsumexp[static_cast<std::int64_t>(blockIdx.z) * s.tokens + row + softmax.row] = softmax.largest + std::log(sum);
  }
  __syncthreads();
  output.each([&](int i, int j, float value) { sums[i * Shared::output_line + j] = value * factors[i]; });
  __syncthreads();
  store_y(sums, Shared::output_line, row, column);
}

}  // namespace kernels::BACKEND
