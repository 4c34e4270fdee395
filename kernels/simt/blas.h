// The emulated GPU's library of matrix products.
#pragma once

#include "kernels/gpu_blas.h"

namespace kernels::simt {

/// Multiplies as a GPU's library does, adding in float one after the other, and writes all over its workspace.
BlasPlan plan_product(const BlasProduct& product);

}  // namespace kernels::simt
