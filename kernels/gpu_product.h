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

/// An operand whose groups are copied to shared memory as they are, which the thread does not wait for.
template <typename Operand>
concept Copied = requires(const Operand& operand, typename Operand::Line line, typename Operand::Cell cell, Bf16* to) {
  operand.copy(line, cell, to);
};

/// What a block multiplies of an operand: two panels in shared memory, of which one is filled while the other is
/// multiplied. Each thread brings its groups there, through registers unless they are copied.
template <typename Tile, int rows, typename Operand>
class Feed {
  static constexpr Along along = Operand::along;
  using Share = Shares<Tile, rows, along>;
  using Element = typename Tile::Element;
  using P = Panel<Element, rows, Tile::depth, along>;

 public:
  static constexpr int elements = 2 * P::elements;
  __device__ Feed(const Operand& operand, int first_row, Element* panels) : operand_(operand), next_(panels) {
    if constexpr (along == Along::k) {
#pragma unroll
      for (int i = 0; i < Share::count; ++i) lines_[i] = operand.line(first_row + Share::line(i));
    } else {
      cell_ = operand.cell(first_row + Share::cell());
    }
  }

  /// Begins to bring the panel of k.
  __device__ __forceinline__ void fetch(int k) {
    if constexpr (along == Along::k) cell_ = operand_.cell(k + Share::cell());
#pragma unroll
    for (int i = 0; i < Share::count; ++i) {
      if constexpr (along == Along::rows) lines_[i] = operand_.line(k + Share::line(i));
      if (Share::line(i) >= Share::lines) continue;
      if constexpr (Copied<Operand>)
        operand_.copy(lines_[i], cell_, place(i));
      else
        groups_[i] = operand_.load(lines_[i], cell_);
    }
    if constexpr (Copied<Operand>) cp_async_commit();
  }

  /// The panel that was fetched, complete after the next barrier. The one before it may be overwritten from then on.
  __device__ __forceinline__ const Element* arrived() {
    if constexpr (Copied<Operand>) {
      cp_async_wait<0>();
    } else {
#pragma unroll
      for (int i = 0; i < Share::count; ++i)
        if (Share::line(i) < Share::lines) store(place(i), groups_[i]);
    }
    const Element* const panel = next_;
    next_ += other_;
    other_ = -other_;
    return panel;
  }

 private:
  __device__ Element* place(int i) const {
    return next_ + Share::line(i) * P::line + Share::cell();
  }

  const Operand& operand_;
  typename Operand::Line lines_[Share::count];
  typename Operand::Cell cell_;
  Pack<group> groups_[Share::count] = {};
  Element* next_;
  int other_ = P::elements;  // from it to the other panel
};

/// Adds the products of two operands over k from first to last, as their feeds bring them.
template <Along along_a, Along along_b, typename Tile, typename FeedA, typename FeedB>
__device__ __forceinline__ void add_products(Tile& tile, FeedA&& a, FeedB&& b, int first, int last) {
  a.fetch(first);
  b.fetch(first);
  for (int k = first; k < last; k += Tile::depth) {
    const auto *panel_a = a.arrived(), *panel_b = b.arrived();
    __syncthreads();  // these panels are there, and the others are no longer read
    if (k + Tile::depth < last) {
      a.fetch(k + Tile::depth);
      b.fetch(k + Tile::depth);
    }
    tile.template add<along_a, along_b>(panel_a, panel_b);
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
