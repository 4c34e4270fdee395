// The matrix product of the GPU, c[m,n] = sum over k of a[m,k] b[n,k], for whatever gives the elements of a and b and
// whatever becomes of c; for kernels only.
//
// An operand has `along` and, for eight neighbours along it, `load`; rows and k outside it give zeros:
//   Line line(int i) const;                     what is worth knowing about one of its lines: row i, or k = i
//   Cell cell(int j, int offset) const;         the same about eight neighbours across lines, k or rows from j + offset
//                                               on; j is the same for all threads
//   Pack<8> load(const Line&, const Cell&) const;
// or, for tensor cores, where in memory the eight lie in bfloat16
//   Neighbours place(const Line&, const Cell&) const;
// What becomes of c is told by a store:
//   void operator()(const float* sums, int line, int row, int column) const;
// called by all threads of a block with its part of c, which begins at (row, column), in shared memory. Behind it is
// room.
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
  static constexpr bool are_all_taken = lines % lines_at_once == 0;
  static_assert(Tile::threads % cells == 0);
  __device__ static int cell() { return static_cast<int>(threadIdx.x) % cells * group; }
  __device__ static int line(int i) { return static_cast<int>(threadIdx.x) / cells + i * lines_at_once; }
};

/// The panels of an operand in shared memory, those of a step of `depth` k and of the next ones, and how one thread's
/// groups come there: bfloat16 is copied while other panels are multiplied, float goes through registers.
template <typename Tile, int rows, typename Operand>
class Feed {
  static constexpr Along along = Operand::along;
  using Share = Shares<Tile, rows, along>;
  using Element = typename Tile::Element;
  using P = Panel<Element, rows, Tile::depth, along>;
  static constexpr bool copies = std::is_same_v<Element, Bf16>;

 public:
  static constexpr int elements = Tile::stages * P::elements;
  __device__ Feed(const Operand& operand, int first_row, Element* panels) : operand_(operand), panels_(panels) {
    if constexpr (along == Along::k) {
#pragma unroll
      for (int i = 0; i < Share::count; ++i) lines_[i] = operand.line(first_row + Share::line(i));
    } else {
      cell_ = operand.cell(first_row, Share::cell());
    }
  }

  __device__ Element* panel(int step) const {
    return panels_ + static_cast<unsigned>(step) % Tile::stages * P::elements;
  }

  /// What of the step's panel, which begins at k, is not copied waits in registers until it is put.
  __device__ __forceinline__ void fetch(int step, int k) {
    if constexpr (along == Along::k) cell_ = operand_.cell(k, Share::cell());
#pragma unroll
    for (int i = 0; i < Share::count; ++i) {
      if constexpr (along == Along::rows) lines_[i] = operand_.line(k + Share::line(i));
      if (!Share::are_all_taken && Share::line(i) >= Share::lines) continue;
      if constexpr (copies) {
        const Neighbours eight = operand_.place(lines_[i], cell_);
        cp_async_16(place(step, i), eight.from, eight.are_there ? Valid::yes : Valid::no);
      } else {
        groups_[i] = operand_.load(lines_[i], cell_);
      }
    }
  }

  __device__ __forceinline__ void put(int step) const {
    if constexpr (!copies) {
#pragma unroll
      for (int i = 0; i < Share::count; ++i)
        if (Share::are_all_taken || Share::line(i) < Share::lines) store(place(step, i), groups_[i]);
    }
  }

 private:
  __device__ Element* place(int step, int i) const {
    return panel(step) +
           (along == Along::k ? P::at(Share::line(i), Share::cell()) : P::at(Share::cell(), Share::line(i)));
  }

  const Operand& operand_;
  Element* panels_;
  typename Operand::Line lines_[Share::count];
  typename Operand::Cell cell_;
  Pack<group> groups_[copies ? 1 : Share::count] = {};
};

/// Adds the products of two operands over k from first to last, `depth` k a step, in float.
template <Along along_a, Along along_b, int m, int n, typename FeedA, typename FeedB>
__device__ __forceinline__ void add_products(FmaTile<m, n>& tile, FeedA&& a, FeedB&& b, int first, int last) {
  constexpr int depth = FmaTile<m, n>::depth;
  const int steps = (last - first + depth - 1) / depth;
  const auto fetch = [&](int step) {
    if (step < steps) a.fetch(step, first + step * depth), b.fetch(step, first + step * depth);
  };
  fetch(0);
  for (int step = 0; step < steps; ++step) {
    a.put(step), b.put(step);
    __syncthreads();  // the panels of this step are there, and those of the last one but one are no longer read
    fetch(step + 1);
    tile.template add<along_a, along_b>(a.panel(step), b.panel(step));
  }
}

/// The same by tensor cores. While a step's panels are multiplied those of the next ones are copied, and while 16 k are
/// multiplied the fragments of the next 16 are read.
template <Along along_a, Along along_b, int m, int n, int warp_m, int warp_n, typename FeedA, typename FeedB>
__device__ __forceinline__ void add_products(MmaTile<m, n, warp_m, warp_n>& tile, FeedA&& a, FeedB&& b, int first,
                                             int last) {
  using Tile = MmaTile<m, n, warp_m, warp_n>;
  constexpr int depth = Tile::depth, stages = Tile::stages;
  static_assert(depth % 32 == 0, "the fragments of two times 16 k take turns");
  const int steps = (last - first + depth - 1) / depth;
  const auto copy = [&](int step) {
    if (step < steps) a.fetch(step, first + step * depth), b.fetch(step, first + step * depth);
    cp_async_commit();
  };
  const auto wait_for_next = [&] {
    cp_async_wait<stages - 2>();
    __syncthreads();
  };
  typename Tile::Fragments fragments[2];
  const auto load = [&](int which, int step, int k) {
    Tile::template load<along_a, along_b>(fragments[which], a.panel(step), b.panel(step), k);
  };
  for (int step = 0; step < stages - 1; ++step) copy(step);
  wait_for_next();
  load(0, 0, 0);
  for (int step = 0; step < steps; ++step) {
#pragma unroll
    for (int k = 0; k < depth; k += 16) {
      const int next = (k / 16 + 1) % 2;
      if (k + 16 < depth) {
        load(next, step, k + 16);
      } else {
        wait_for_next();  // all have read this step's panels, too
        if (step + 1 < steps) load(next, step + 1, 0);
      }
      if (k == 0) copy(step + stages - 1);
      tile.add(fragments[1 - next]);
    }
  }
}

template <typename Tile, typename A, typename B>
struct SharedSize {
  static constexpr int a = Feed<Tile, Tile::rows, A>::elements, b = Feed<Tile, Tile::columns, B>::elements;
  static constexpr int sums_line = Tile::columns + 4;
  static constexpr std::size_t panels_bytes = (a + b) * sizeof(typename Tile::Element);
  // Of the store's, beside the sums: up to 12 bytes for each column of a thread.
  static constexpr std::size_t room = Tile::threads * Tile::width * 3 * sizeof(float);
  static constexpr std::size_t sums_bytes = Tile::rows * sums_line * sizeof(float) + room;
  static constexpr std::size_t bytes = panels_bytes > sums_bytes ? panels_bytes : sums_bytes;
};

template <typename Tile, typename A, typename B, typename Store>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks)
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
