#include "kernels/simt/blas.h"
#include "tests/kernels/simt/devices.h"

namespace kernels::test {

Blas library() {
  return &simt::plan_product;
}

}  // namespace kernels::test
