// The matrix product of the GPU, c[m,n] = sum over k of a[m,k] b[n,k], for whatever gives the elements of a and b and
// whatever becomes of c; for kernels only.
//
// An operand has `along` and, for eight neighbours along it, `load`; rows and k outside it give zeros:
//   Line line(int i) const;                     what is worth knowing about one of its lines: row i, or k = i
//   Cell cell(int j) const;                     the same about eight neighbours across lines: k = j.., or rows j..
//   Pack<8> load(const Line&, const Cell&) const;
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

/// One thread's groups of an operand: from global memory to registers, and from there to shared memory.
template <typename Tile, int rows, typename Operand>
class Feed {
  static constexpr Along along = Operand::along;
  using Share = Shares<Tile, rows, along>;
  using Element = typename Tile::Element;

 public:
  __device__ Feed(const Operand& operand, int first_row) : operand_(operand) {
    if constexpr (along == Along::k) {
#pragma unroll
      for (int i = 0; i < Share::count; ++i) lines_[i] = operand.line(first_row + Share::line(i));
    } else {
      cell_ = operand.cell(first_row + Share::cell());
    }
  }

  __device__ __forceinline__ void fetch(int k) {
    if constexpr (along == Along::k) cell_ = operand_.cell(k + Share::cell());
#pragma unroll
    for (int i = 0; i < Share::count; ++i) {
      if constexpr (along == Along::rows) lines_[i] = operand_.line(k + Share::line(i));
      if (Share::line(i) < Share::lines) groups_[i] = operand_.load(lines_[i], cell_);
    }
  }

  __device__ __forceinline__ void put(Element* panel) const {
    using P = Panel<Element, rows, Tile::depth, along>;
#pragma unroll
    for (int i = 0; i < Share::count; ++i)
      if (Share::line(i) < Share::lines) store(panel + Share::line(i) * P::line + Share::cell(), groups_[i]);
  }

 private:
  const Operand& operand_;
  typename Operand::Line lines_[Share::count];
  typename Operand::Cell cell_;
  Pack<group> groups_[Share::count] = {};
};

template <typename Tile, typename A, typename B>
struct SharedSize {
  static constexpr int a = Panel<typename Tile::Element, Tile::rows, Tile::depth, A::along>::elements;
  static constexpr int b = Panel<typename Tile::Element, Tile::columns, Tile::depth, B::along>::elements;
  static constexpr int sums_line = Tile::columns + 4;
  static constexpr std::size_t panels_bytes = 2 * (a + b) * sizeof(typename Tile::Element);
  static constexpr std::size_t sums_bytes = Tile::rows * sums_line * sizeof(float);
  static constexpr std::size_t bytes = panels_bytes > sums_bytes ? panels_bytes : sums_bytes;
};

/// The panels of k + depth are fetched while those of k are multiplied.
template <typename Tile, typename A, typename B, typename Store>
__global__ void __launch_bounds__(Tile::threads)
    product_kernel(ProductSize size, const A operand_a, const B operand_b, const Store store_sums) {
  using Element = typename Tile::Element;
  using Size = SharedSize<Tile, A, B>;
  DYNAMIC_SHARED(unsigned char, memory);
  Element* const panels = reinterpret_cast<Element*>(memory);
  const int row = static_cast<int>(blockIdx.x) * Tile::rows, column = static_cast<int>(blockIdx.y) * Tile::columns;
  const int part = size.batches > 1 ? 0 : static_cast<int>(blockIdx.z);
  const int first = part * size.k_of_part, last = min(first + size.k_of_part, size.k);

  Tile tile;
  Feed<Tile, Tile::rows, A> a(operand_a, row);
  Feed<Tile, Tile::columns, B> b(operand_b, column);
  a.fetch(first);
  b.fetch(first);
  int turn = 0;
  for (int k = first; k < last; k += Tile::depth, turn ^= 1) {
    Element* const panel_a = panels + turn * (Size::a + Size::b);
    a.put(panel_a);
    b.put(panel_a + Size::a);
    __syncthreads();  // these panels are there, and the others are no longer read
    if (k + Tile::depth < last) {
      a.fetch(k + Tile::depth);
      b.fetch(k + Tile::depth);
    }
    tile.template add<A::along, B::along>(panel_a, panel_a + Size::a);
  }
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
