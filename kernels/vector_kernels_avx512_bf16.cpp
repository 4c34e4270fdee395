// 32 registers of 16 floats, and instructions for bf16.
#include <immintrin.h>

#include "kernels/vector_kernels_table.h"

namespace kernels {
namespace {

struct Avx512Bf16 : Bf16Operands<16> {
  static constexpr int most_rows[] = {0, 14, 14};
  [[gnu::always_inline]] static Vector add_product(Vector sum, float left, Vector right) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_ps(left), (__m512bh)right);
  }
  [[gnu::always_inline]] static Halves round(Vector x) { return (Halves)_mm512_cvtneps_pbh(x); }
};

}  // namespace

const VectorKernels avx512_bf16_kernels = vector_kernels_for<Avx512Bf16>();

}  // namespace kernels
