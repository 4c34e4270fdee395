// A block's part of a matrix product: how its operands lie in shared memory, and two ways to multiply them; for kernels
// only.
#pragma once

#include "kernels/pack.h"

namespace kernels::BACKEND {

/// The neighbours in memory: along k, which the product sums over, or along the operand's other extent.
enum class Along : bool { k, rows };

/// An operand's part [rows,depth] in shared memory. Lines of bfloat16 along k have their eights of neighbours in an
/// order of their own, lines of other kinds are 16 bytes longer than they need to be: so that eight neighbouring lines
/// fall on different banks.
template <typename T, int rows, int depth, Along along>
struct Panel {
  static constexpr bool is_mixed = along == Along::k && sizeof(T) == 2;
  static constexpr int line = (along == Along::k ? depth : rows) + (is_mixed ? 0 : 16 / int(sizeof(T)));
  static constexpr int elements = (along == Along::k ? rows : depth) * line;
  __device__ static constexpr int at(int row, int k) {
    if constexpr (is_mixed) {
      constexpr int eights = depth / 8, lines_of_banks = depth < 64 ? 64 / depth : 1;
      return row * line + ((k / 8) ^ (row / lines_of_banks % eights)) * 8 + k % 8;
    } else {
      return along == Along::k ? row * line + k : k * line + row;
    }
  }
};

/// Sums of m x n products by plain multiplication and addition, in float; a block of 256 threads. What a GPU computes
/// in float32, and the reference for the tensor cores.
template <int m, int n>
struct FmaTile {
  using Element = float;
  static constexpr int width = 1;  // elements of a result that are stored together, and of operands without a choice
  static constexpr int rows = m, columns = n, depth = 16, threads = 256;
  static constexpr int blocks = 1;  // that a multiprocessor is to have room for, at least
  static constexpr int stages = 2;  // panels in shared memory at a time, of k and following ones
  static constexpr int across = 16, rows_each = m / across, columns_each = n / across;
  float sum[rows_each][columns_each] = {};

  template <Along along_a, Along along_b>
  __device__ __forceinline__ void add(const float* a, const float* b) {
    using A = Panel<float, m, depth, along_a>;
    using B = Panel<float, n, depth, along_b>;
    const int row = static_cast<int>(threadIdx.x) / across, column = static_cast<int>(threadIdx.x) % across;
    for (int k = 0; k < depth; ++k) {
      float right[columns_each];
#pragma unroll
      for (int j = 0; j < columns_each; ++j) right[j] = b[B::at(column + across * j, k)];
#pragma unroll
      for (int i = 0; i < rows_each; ++i) {
        const float left = a[A::at(row + across * i, k)];
#pragma unroll
        for (int j = 0; j < columns_each; ++j) sum[i][j] += left * right[j];
      }
    }
  }

  /// Calls f(row, column, sum) with each sum of this thread, which it may change.
  template <typename F>
  __device__ __forceinline__ void each(const F& f) {
    const int row = static_cast<int>(threadIdx.x) / across, column = static_cast<int>(threadIdx.x) % across;
#pragma unroll
    for (int i = 0; i < rows_each; ++i)
#pragma unroll
      for (int j = 0; j < columns_each; ++j) f(row + across * i, column + across * j, sum[i][j]);
  }
};

/// The same by tensor cores: operands in bfloat16, sums in float. A warp makes warp_m x warp_n of the sums.
template <int m, int n, int warp_m, int warp_n>
struct MmaTile {
  using Element = Bf16;
  static constexpr int width = full_width;
  static constexpr int rows = m, columns = n, depth = 32, threads = 32 * (m / warp_m) * (n / warp_n);
  static constexpr int blocks = threads < 256 ? 2 : 1;  // that a multiprocessor is to have room for, at least
  static constexpr int stages = 4;
  static constexpr int blocks_m = warp_m / 16, blocks_n = warp_n / 8;
  static_assert(blocks_n % 2 == 0, "fragments of b are loaded in pairs");
  FragmentC sum[blocks_m][blocks_n] = {};

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }
  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / 32 / (n / warp_n) * warp_m; }
  __device__ static int first_column() { return static_cast<int>(threadIdx.x) / 32 % (n / warp_n) * warp_n; }

  template <Along along>
  __device__ static void load_a(FragmentA& fragment, const Bf16* a, int row, int k) {
    using A = Panel<Bf16, m, depth, along>;
    const int matrix = lane() / 8, in_matrix = lane() % 8;  // matrices: by rows first, then by k
    if constexpr (along == Along::k)
      ldmatrix(fragment.word, a + A::at(row + matrix % 2 * 8 + in_matrix, k + matrix / 2 * 8));
    else
      ldmatrix_transposed(fragment.word, a + A::at(row + matrix % 2 * 8, k + matrix / 2 * 8 + in_matrix));
  }

  /// Two neighbours at once: matrices by k first, then by columns.
  template <Along along>
  __device__ static void load_b(FragmentB* fragments, const Bf16* b, int column, int k) {
    using B = Panel<Bf16, n, depth, along>;
    const int matrix = lane() / 8, in_matrix = lane() % 8;
    unsigned words[4];
    if constexpr (along == Along::k)
      ldmatrix(words, b + B::at(column + matrix / 2 * 8 + in_matrix, k + matrix % 2 * 8));
    else
      ldmatrix_transposed(words, b + B::at(column + matrix / 2 * 8, k + matrix % 2 * 8 + in_matrix));
    fragments[0] = {{words[0], words[1]}};
    fragments[1] = {{words[2], words[3]}};
  }

  /// What a warp multiplies of 16 k.
  struct Fragments {
    FragmentA left[blocks_m];
    FragmentB right[blocks_n];
  };
  template <Along along_a, Along along_b>
  __device__ __forceinline__ static void load(Fragments& of, const Bf16* a, const Bf16* b, int k) {
#pragma unroll
    for (int i = 0; i < blocks_m; ++i) load_a<along_a>(of.left[i], a, first_row() + 16 * i, k);
#pragma unroll
    for (int j = 0; j < blocks_n; j += 2) load_b<along_b>(of.right + j, b, first_column() + 8 * j, k);
  }
  __device__ __forceinline__ void add(const Fragments& of) {
#pragma unroll
    for (int i = 0; i < blocks_m; ++i)
#pragma unroll
      for (int j = 0; j < blocks_n; ++j) mma_m16n8k16(sum[i][j], of.left[i], of.right[j]);
  }

  template <typename F>
  __device__ __forceinline__ void each(const F& f) {
#pragma unroll
    for (int i = 0; i < blocks_m; ++i)
#pragma unroll
      for (int j = 0; j < blocks_n; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          f(first_row() + 16 * i + lane() / 4 + e / 2 * 8, first_column() + 8 * j + lane() % 4 * 2 + e % 2,
            sum[i][j].value[e]);
  }
};

}  // namespace kernels::BACKEND
