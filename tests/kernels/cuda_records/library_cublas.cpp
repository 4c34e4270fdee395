#include "kernels/cuda/blas.h"
#include "way.h"

namespace kernels::test {

Blas library() {
  static const Blas blas = [] {
    const auto found = cuda::CublasLt::load();
    if (!found) throw std::runtime_error(cuda::CublasLt::file_name() + " is not found");
    return cuda::make_blas(found, nullptr);
  }();
  return blas;
}

}  // namespace kernels::test
