// 16 registers of 8 floats.
#include "kernels/vector_kernels_table.h"

namespace kernels {
namespace {

struct Avx2 : FloatOperands<8> {
  static constexpr int most_rows[] = {0, 12, 6};
};
struct Avx2Bf16 : Bf16Operands<8> {
  static constexpr int most_rows[] = {0, 6, 4};
};

}  // namespace

const VectorKernels avx2_kernels = vector_kernels_for<Avx2>();
const VectorKernels avx2_bf16_kernels = vector_kernels_for<Avx2Bf16>();
const VectorMaps avx2_maps = vector_maps_for<Avx2>();

}  // namespace kernels
