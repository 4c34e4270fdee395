// Matrices in memory as operands of the matrix product and as what becomes of it, see gpu_product.h; for kernels only.
#pragma once

#include "kernels/conv.h"
#include "kernels/divisor.h"
#include "kernels/gpu_array.h"
#include "kernels/gpu_product.h"

namespace kernels::BACKEND {

/// Eight neighbours: together, or one by one where they need not belong together. f(number) gives a Pack<width>.
template <int width, typename F>
__device__ __forceinline__ Pack<group> neighbours(const F& f) {
  if constexpr (width == group) {
    return f(0);
  } else {
    Pack<group> pack;
    for (int j = 0; j < group; ++j) pack.value[j] = f(j).value[0];
    return pack;
  }
}

/// Where the matrix of a head of an image begins, for the batches of a product: batch z is head z of all images' heads.
struct HeadOffset {
  Divisor heads = 1;
  std::int64_t image_stride = 0, head_stride = 0;
  __device__ std::int64_t here() const {
    const int z = static_cast<int>(blockIdx.z);
    return heads.quotient(z) * image_stride + heads.remainder(z) * head_stride;
  }
};

/// Lines of `cells` neighbours, `stride` elements from line to line.
template <int width, Along lies>
struct Matrix {
  static constexpr Along along = lies;
  ConstArray data;
  int lines, cells, stride;
  HeadOffset offset;

  using Line = std::int64_t;  // where it begins; < 0: there is none
  struct Cell {
    int number;
    std::int64_t offset;
  };
  // What is the same for all lines or all cells of a thread has the offset.
  __device__ Line line(int i) const {
    return i < lines ? static_cast<std::int64_t>(i) * stride + (lies == Along::k ? offset.here() : 0) : -1;
  }
  __device__ Cell cell(int j, int from) const {
    return {j + from, j + from + (lies == Along::rows ? offset.here() : 0)};
  }
  /// Of an element in `data`, j behind the cell's first; < 0: none.
  __device__ std::int64_t index(Line line, const Cell& cell, int j = 0) const {
    return line >= 0 && cell.number + j < cells ? line + cell.offset + j : -1;
  }
  __device__ Pack<group> load(Line line, const Cell& cell) const {
    return neighbours<width>([&](int j) { return data.at_or_zero<width>(index(line, cell, j)); });
  }
  __device__ Neighbours place(Line line, const Cell& cell) const { return data.place(index(line, cell)); }
};

/// Calls f(row of all, column of all, sums of `width` columns) for the sums [block_rows,block_columns] of a block that
/// begin at (row, column), as far as there are rows and columns.
template <int width, typename Size, typename F>
__device__ __forceinline__ void each_sum(const Size& size, const float* sums, int line, int row, int column,
                                         const F& f) {
  const int packs = size.block_columns / width;
  for (int i = static_cast<int>(threadIdx.x); i < size.block_rows * packs; i += static_cast<int>(blockDim.x)) {
    const int at_row = i / packs, at_column = i % packs * width;
    if (row + at_row < size.rows && column + at_column < size.columns)
      f(row + at_row, column + at_column, load<width>(sums + at_row * line + at_column));
  }
}

/// Of a result and of the blocks it is made in.
struct ResultSize {
  int rows, columns, block_rows, block_columns;
};

/// to (+)= scale times the sums, plus a bias for each column; rows `stride` elements apart. Parts of k, or batches
/// without an offset, lie one behind the other.
template <int width>
struct StoreMatrix {
  ResultSize size;
  Array to;
  std::int64_t stride, part_stride = 0;
  HeadOffset offset = {};
  const float* bias = nullptr;
  float scale = 1;
  Mode mode = Mode::overwrite;

  __device__ void operator()(const float* sums, int line, int row, int column) const {
    each_sum<width>(size, sums, line, row, column, [&](int i, int j, Pack<width> pack) {
      const std::int64_t at = offset.here() + blockIdx.z * part_stride + i * stride + j;
      const Pack<width> before = mode == Mode::accumulate ? to.template at<width>(at) : Pack<width>{};
#pragma unroll
      for (int e = 0; e < width; ++e)
        pack.value[e] = before.value[e] + (scale * pack.value[e] + (bias ? bias[j + e] : 0));
      to.set(at, pack);
    });
  }
};

}  // namespace kernels::BACKEND
