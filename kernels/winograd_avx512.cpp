// 32 registers of 16 floats.
#include "kernels/winograd_kernels.h"

namespace kernels::winograd {
namespace {

struct Avx512 {
  static constexpr int lanes = 16;
  static constexpr int most_rows[] = {0, 14, 14};
};

}  // namespace

const Kernels avx512_kernels = kernels_for<Avx512>();

}  // namespace kernels::winograd
