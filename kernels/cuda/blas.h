// cuBLASLt, looked for when the program runs: it is half a GiB, and the kernels do without it where it is not there.
#pragma once

#include <cublasLt.h>

#include <string>

#include "kernels/cuda/runtime.h"
#include "kernels/gpu_blas.h"

namespace kernels::cuda {

/// The functions of the library that we call.
struct CublasLt {
  /// Null where it is not found. Throws runtime_error where it lacks one of them.
  static std::shared_ptr<const CublasLt> load();
  static std::string file_name();

  decltype(&cublasLtGetVersion) version;
  decltype(&cublasLtGetStatusString) text_of;
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtMatmulDescCreate) create_operation;
  decltype(&cublasLtMatmulDescDestroy) destroy_operation;
  decltype(&cublasLtMatmulDescSetAttribute) set_operation;
  decltype(&cublasLtMatrixLayoutCreate) create_layout;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_layout;
  decltype(&cublasLtMatmulPreferenceCreate) create_preference;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
  decltype(&cublasLtMatmulAlgoGetHeuristic) choose;
  decltype(&cublasLtMatmul) multiply;

  /// Throws runtime_error unless the call succeeded; `what` we were doing.
  void check(cublasStatus_t status, const char* what) const;
};

/// A product as the library takes it. Its matrices lie column after column and are thus the transposes of ours: it is
/// told to make c^T = b^T a^T, so that `left` is our b and `right` our a.
class ProductDescriptors {
 public:
  ProductDescriptors(std::shared_ptr<const CublasLt> library, const BlasProduct& product);
  cublasLtMatmulDesc_t operation() const { return operation_.get(); }
  cublasLtMatrixLayout_t left() const { return left_.get(); }
  cublasLtMatrixLayout_t right() const { return right_.get(); }
  cublasLtMatrixLayout_t result() const { return result_.get(); }
  void set_bias(const void* bias);

 private:
  template <typename Handle>
  using Made = std::unique_ptr<std::remove_pointer_t<Handle>, cublasStatus_t (*)(Handle)>;
  Made<cublasLtMatmulDesc_t> make_operation(const BlasProduct& product) const;
  Made<cublasLtMatrixLayout_t> make_layout(Element element, std::int64_t rows, std::int64_t columns,
                                           std::int64_t stride, Stored stored) const;

  std::shared_ptr<const CublasLt> library_;
  Made<cublasLtMatmulDesc_t> operation_;
  Made<cublasLtMatrixLayout_t> left_, right_, result_;
};

/// Products in the stream of a GPU, each by the algorithm that the library's heuristic gives when it is planned.
Blas make_blas(const std::shared_ptr<const CublasLt>& library, cudaStream_t stream);

}  // namespace kernels::cuda
