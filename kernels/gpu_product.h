// The matrix product of the GPU, c[m,n] = sum over k of a[m,k] b[n,k], for whatever gives the elements of a and b and
// whatever becomes of c; for kernels only.
//
// An operand has `along` and, for eight neighbours along it, `load`; rows and k outside it give zeros:
//   Line line(int i) const;                     what is worth knowing about one of its lines: row i, or k = i
//   Cell cell(int j) const;                     the same about eight neighbours across lines: k = j.., or rows j..
//   Pack<8> load(const Line&, const Cell&) const;
// and where tensor cores are to take it
//   bool is_plain() const;                               whether all it gives lies in memory, in bf16
//   const Bf16* address(const Line&, const Cell&) const;  then, of the eight; null: zeros
// What becomes of c is told by a store:
//   void operator()(const float* sums, int line, int row, int column) const;
// called by all threads of a block with its part of c, which begins at (row, column), in shared memory.
#pragma once

#include "kernels/gpu_launch.h"
#include "kernels/gpu_tiles.h"

namespace kernels::BACKEND {

inline constexpr int group = full_width;  // neighbours that are loaded together

/// Of one product or of `batches` of them, block z of the grid making number z. A single one may be cut into parts of
/// k, block z making the sums over part z.
struct ProductSize {
  int rows, columns, k;
  int k_of_part;  // k, or a multiple of the tile's depth
  int batches = 1;
};

/// How the threads of a block share the groups of a panel: each takes the same cell of several lines.
template <typename Tile, int rows, Along along>
struct Shares {
  static constexpr int lines = along == Along::k ? rows : Tile::depth;
  static constexpr int cells = (along == Along::k ? Tile::depth : rows) / group;
  static constexpr int lines_at_once = Tile::threads / cells;
  static constexpr int count = (lines + lines_at_once - 1) / lines_at_once;
  static_assert(Tile::threads % cells == 0);
  __device__ static int cell() { return static_cast<int>(threadIdx.x) % cells * group; }
  __device__ static int line(int i) { return static_cast<int>(threadIdx.x) / cells + i * lines_at_once; }
};

/// The panels of an operand in shared memory, those of a step of `depth` k and of the next ones, and how one thread's
/// groups come there: copied while other panels are multiplied where the operand is plain, through registers otherwise.
template <typename Tile, int rows, typename Operand>
class Feed {
  static constexpr Along along = Operand::along;
  using Share = Shares<Tile, rows, along>;
  using Element = typename Tile::Element;
  using P = Panel<Element, rows, Tile::depth, along>;

 public:
  static constexpr int elements = Tile::stages * P::elements;
  __device__ Feed(const Operand& operand, int first_row, Element* panels) : operand_(operand), panels_(panels) {
    if constexpr (std::is_same_v<Element, Bf16>) copies_ = operand.is_plain();
    if constexpr (along == Along::k) {
#pragma unroll
      for (int i = 0; i < Share::count; ++i) lines_[i] = operand.line(first_row + Share::line(i));
    } else {
      cell_ = operand.cell(first_row + Share::cell());
    }
  }

  /// How many steps before it is multiplied a panel is fetched.
  __device__ int ahead() const {
    return copies_ ? Tile::stages - 1 : 1;
  }
  __device__ Element* panel(int step) const {
    return panels_ + step % Tile::stages * P::elements;
  }

  /// What of the step's panel, which begins at k, is not copied waits in registers until it is put.
  __device__ __forceinline__ void fetch(int step, int k) {
    if constexpr (along == Along::k) cell_ = operand_.cell(k + Share::cell());
#pragma unroll
    for (int i = 0; i < Share::count; ++i) {
      if constexpr (along == Along::rows) lines_[i] = operand_.line(k + Share::line(i));
      if (Share::line(i) >= Share::lines) continue;
      if (copies_)
        copy(lines_[i], place(step, i));
      else
        groups_[i] = operand_.load(lines_[i], cell_);
    }
  }

  __device__ __forceinline__ void put(int step) const {
    if (copies_) return;
#pragma unroll
    for (int i = 0; i < Share::count; ++i)
      if (Share::line(i) < Share::lines) store(place(step, i), groups_[i]);
  }

 private:
  __device__ Element* place(int step, int i) const {
    return panel(step) + Share::line(i) * P::line + Share::cell();
  }
  __device__ __forceinline__ void copy(const typename Operand::Line& line, Element* to) const {
    if constexpr (std::is_same_v<Element, Bf16>) {
      const Bf16* const from = operand_.address(line, cell_);
      cp_async_16(to, from, from ? Valid::yes : Valid::no);
    }
  }

  const Operand& operand_;
  Element* panels_;
  bool copies_ = false;
  typename Operand::Line lines_[Share::count];
  typename Operand::Cell cell_;
  Pack<group> groups_[Share::count] = {};
};

/// Adds the products of two operands over k from first to last. A step multiplies the panels of `depth` k. Those of
/// later steps are fetched meanwhile, so that the first steps, below 0, only fetch.
template <Along along_a, Along along_b, typename Tile, typename FeedA, typename FeedB>
__device__ __forceinline__ void add_products(Tile& tile, FeedA&& a, FeedB&& b, int first, int last) {
  const int steps = (last - first + Tile::depth - 1) / Tile::depth;
  const auto fetch = [&](auto& feed, int step) {
    if (step >= 0 && step < steps) feed.fetch(step, first + step * Tile::depth);
  };
  for (int step = 1 - Tile::stages; step < steps; ++step) {
    if (step >= 0) {
      cp_async_wait<Tile::stages - 2>();
      __syncthreads();  // the panels of this step are there, and those of the last one are no longer read
    }
    fetch(a, step + a.ahead());
    fetch(b, step + b.ahead());
    cp_async_commit();
    if (step >= 0) tile.template add<along_a, along_b>(a.panel(step), b.panel(step));
    if (step + 1 >= 0 && step + 1 < steps) {
      a.put(step + 1);
      b.put(step + 1);
    }
  }
}

template <typename Tile, typename A, typename B>
struct SharedSize {
  static constexpr int a = Feed<Tile, Tile::rows, A>::elements, b = Feed<Tile, Tile::columns, B>::elements;
  static constexpr int sums_line = Tile::columns + 4;
  static constexpr std::size_t panels_bytes = (a + b) * sizeof(typename Tile::Element);
  static constexpr std::size_t sums_bytes = Tile::rows * sums_line * sizeof(float);
  static constexpr std::size_t bytes = panels_bytes > sums_bytes ? panels_bytes : sums_bytes;
};

template <typename Tile, typename A, typename B, typename Store>
__global__ void __launch_bounds__(Tile::threads)
    product_kernel(ProductSize size, const A operand_a, const B operand_b, const Store store_sums) {
  using Size = SharedSize<Tile, A, B>;
  DYNAMIC_SHARED(unsigned char, memory);
  auto* const panels = reinterpret_cast<typename Tile::Element*>(memory);
  const int row = static_cast<int>(blockIdx.x) * Tile::rows, column = static_cast<int>(blockIdx.y) * Tile::columns;
  const int part = size.batches > 1 ? 0 : static_cast<int>(blockIdx.z);
  const int first = part * size.k_of_part, last = min(first + size.k_of_part, size.k);

  Tile tile;
  add_products<A::along, B::along>(tile, Feed<Tile, Tile::rows, A>(operand_a, row, panels),
                                   Feed<Tile, Tile::columns, B>(operand_b, column, panels + Size::a), first, last);
  __syncthreads();
  float* const sums = reinterpret_cast<float*>(memory);
  tile.each([&](int i, int j, float sum) { sums[i * Size::sums_line + j] = sum; });
  __syncthreads();
  store_sums(sums, Size::sums_line, row, column);
}

template <typename Tile, typename A, typename B, typename Store>
void product(void* stream, const ProductSize& size, const A& a, const B& b, const Store& store) {
  const auto blocks = [](int extent, int of) { return static_cast<unsigned>((extent + of - 1) / of); };
  const dim3 grid(blocks(size.rows, Tile::rows), blocks(size.columns, Tile::columns),
                  blocks(size.k, size.k_of_part) * static_cast<unsigned>(size.batches));
  launch<product_kernel<Tile, A, B, Store>>(grid, Tile::threads, SharedSize<Tile, A, B>::bytes, stream, size, a, b,
                                            store);
}

}  // namespace kernels::BACKEND
