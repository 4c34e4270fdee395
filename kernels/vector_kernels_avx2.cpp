// 16 registers of 8 floats.
#include "kernels/vector_kernels_table.h"

namespace kernels {
namespace {

struct Avx2 {
  static constexpr int lanes = 8;
  static constexpr int most_rows[] = {0, 12, 6};
};

}  // namespace

const VectorKernels avx2_kernels = vector_kernels_for<Avx2>();

}  // namespace kernels
