// What convolutions do with vectors, by instruction set: each is compiled in a file of its own and called through a
// table. Those files may emit no function that others share, since the linker keeps one copy of it: what is in them are
// templates over a type of theirs, and functions that are inlined by force.
#pragma once

#include "kernels/channel_maps.h"
#include "kernels/philox_blocks.h"
#include "kernels/small_product.h"

namespace kernels {
namespace winograd {

/// 36 matrices: word (coefficient, row, column) is at data[coefficient * matrix + row * stride + column]. A word is a
/// float or, of operands in bf16, two values.
struct Matrices {
  float* data;
  std::int64_t matrix, stride;
};

/// Whose outputs the products have: the convolution's, or its source's (weights turned by 180 degrees).
enum class Direction : std::uint8_t { forward, data_gradient };

/// The tiles that cover `height` (up to 4) rows of an image [.,width,channels].
struct TileRow {
  std::int64_t height, width, channels;
};

}  // namespace winograd

struct VectorKernels {
  int lanes;         // floats of a vector; channel counts are multiples of it
  int values;        // in a word of an operand: 1 float or 2 bf16
  int most_rows[3];  // of a product whose sums stay in registers, by its vectors of columns
  /// Any number of rows, 1 or 2 vectors of columns.
  void (*multiply[2])(const Product& product, std::int64_t rows, int vectors);  // by Adjacent
  /// Floats from[rows,columns], columns a multiple of the lanes, to an operand; may be in place.
  void (*pack[2])(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, float* to,
                  std::int64_t to_stride);  // by Adjacent

  // Winograd's transforms.
  /// Six rows of pixels, two more than the tiles cover, to one matrix row [channels] a tile.
  void (*transform_input[2])(const float* const* rows, std::int64_t tiles, std::int64_t channels,
                             winograd::Matrices to);  // by Adjacent
  /// The gradient of some rows of the output to one matrix row [channels] a tile.
  void (*transform_output_gradient)(const float* dy, const winograd::TileRow& row, winograd::Matrices to);
  /// One matrix row a tile, the first `count` channels of it, to rows of the output.
  void (*transform_output)(winograd::Matrices from, std::int64_t count, float* y, const winograd::TileRow& row);
  /// weight[k,3,3,c]: those of `count` outputs from the first on, to one matrix row [count] for each of the `lanes`
  /// inputs from `input` on.
  void (*transform_weights[2])(const float* weight, std::int64_t c, std::int64_t first, std::int64_t count,
                               std::int64_t input, winograd::Matrices to);  // by Direction
  /// dweight[3,3,c] = scale * gradient (+ dweight where `accumulate`), from the first matrix row [c].
  void (*transform_weight_gradient)(winograd::Matrices from, std::int64_t c, float scale, bool accumulate,
                                    float* dweight);
};

/// What prologues do to the values of a source.
struct VectorMaps {
  ChannelMaps<float> floats;  // by how the source is stored
  ChannelMaps<Bf16> bf16;
  /// factors[64] of the elements that the words of 16 blocks decide about, in the elements' order.
  void (*dropout_factors)(float rate, const PhiloxBlocks& from, float* factors);
};
extern const VectorKernels avx2_kernels, avx512_kernels, avx2_bf16_kernels, avx512_bf16_kernels;
extern const VectorMaps avx2_maps, avx512_maps;

/// What x86-64-v4 adds is named one by one: older compilers that build for it do not know it as a feature.
inline bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

/// Whether this CPU multiplies bf16 by instructions of its own.
inline bool has_avx512_bf16() {
  return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

/// Those with the newest instructions that this CPU has: of operands in float, and in bf16.
inline const VectorKernels& vector_kernels() {
  return has_avx512() ? avx512_kernels : avx2_kernels;
}
inline const VectorKernels& bf16_vector_kernels() {
  return has_avx512_bf16() ? avx512_bf16_kernels : avx2_bf16_kernels;
}
inline const VectorMaps& vector_maps() {
  return has_avx512() ? avx512_maps : avx2_maps;
}

}  // namespace kernels
