// 16 registers of 8 floats.
#include "kernels/winograd_kernels.h"

namespace kernels::winograd {
namespace {

struct Avx2 {
  static constexpr int lanes = 8;
  static constexpr int most_rows[] = {0, 12, 6};
};

}  // namespace

const Kernels avx2_kernels = kernels_for<Avx2>();

}  // namespace kernels::winograd
