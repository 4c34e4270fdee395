// 32 registers of 16 floats.
#include "kernels/vector_kernels_table.h"

namespace kernels {
namespace {

struct Avx512 : FloatOperands<16> {
  static constexpr int most_rows[] = {0, 14, 14};
};

}  // namespace

const VectorKernels avx512_kernels = vector_kernels_for<Avx512>();
const VectorMaps avx512_maps = vector_maps_for<Avx512>();

}  // namespace kernels
