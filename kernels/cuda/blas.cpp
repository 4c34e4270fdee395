#include "kernels/cuda/blas.h"

#include <dlfcn.h>

#include "kernels/check.h"

namespace kernels::cuda {
namespace {

cudaDataType type_of(Element element) {
  ensure(element == Element::f32 || element == Element::bf16, "matrices are stored as f32 or bf16");
  return element == Element::f32 ? CUDA_R_32F : CUDA_R_16BF;
}

/// Of a matrix of ours, for its transpose.
cublasOperation_t turn(Stored stored) {
  return stored == Stored::as_it_is ? CUBLAS_OP_N : CUBLAS_OP_T;
}

using Handle = std::shared_ptr<std::remove_pointer_t<cublasLtHandle_t>>;

Handle make_handle(const std::shared_ptr<const CublasLt>& library) {
  cublasLtHandle_t handle = nullptr;
  library->check(library->create(&handle), "starting cuBLASLt");
  return {handle, [library](cublasLtHandle_t made) { library->destroy(made); }};
}

/// What an algorithm may use and must not ask for.
std::shared_ptr<cublasLtMatmulPreferenceOpaque_t> make_preference(const std::shared_ptr<const CublasLt>& library) {
  cublasLtMatmulPreference_t made = nullptr;
  library->check(library->create_preference(&made), "preferring an algorithm");
  const std::shared_ptr<cublasLtMatmulPreferenceOpaque_t> preference(
      made, [library](cublasLtMatmulPreference_t p) { library->destroy_preference(p); });
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    library->check(library->set_preference(made, attribute, &value, sizeof(value)), "preferring an algorithm");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{32} << 20);
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  for (const auto matrix : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                            CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    set(matrix, std::uint32_t{16});
  return preference;
}

}  // namespace

std::string CublasLt::file_name() {
  return fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR);
}

std::shared_ptr<const CublasLt> CublasLt::load() {
  void* const file = dlopen(file_name().c_str(), RTLD_NOW | RTLD_LOCAL);  // for as long as the process lives
  if (!file) return nullptr;
  const auto find = [&]<typename Function>(const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(dlsym(file, name));
    if (!function) throw std::runtime_error(fmt::format("{} has no {}", file_name(), name));
  };
  const auto library = std::make_shared<CublasLt>();
  find("cublasLtGetVersion", library->version);
  find("cublasLtGetStatusString", library->text_of);
  find("cublasLtCreate", library->create);
  find("cublasLtDestroy", library->destroy);
  find("cublasLtMatmulDescCreate", library->create_operation);
  find("cublasLtMatmulDescDestroy", library->destroy_operation);
  find("cublasLtMatmulDescSetAttribute", library->set_operation);
  find("cublasLtMatrixLayoutCreate", library->create_layout);
  find("cublasLtMatrixLayoutDestroy", library->destroy_layout);
  find("cublasLtMatmulPreferenceCreate", library->create_preference);
  find("cublasLtMatmulPreferenceDestroy", library->destroy_preference);
  find("cublasLtMatmulPreferenceSetAttribute", library->set_preference);
  find("cublasLtMatmulAlgoGetHeuristic", library->choose);
  find("cublasLtMatmul", library->multiply);
  return library;
}

void CublasLt::check(cublasStatus_t status, const char* what) const {
  if (status != CUBLAS_STATUS_SUCCESS) throw std::runtime_error(fmt::format("{}: {}", what, text_of(status)));
}

ProductDescriptors::ProductDescriptors(std::shared_ptr<const CublasLt> library, const BlasProduct& p)
    : library_(std::move(library)),
      operation_(make_operation(p)),
      left_(make_layout(p.operands, p.k, p.n, p.b_stride, p.b)),
      right_(make_layout(p.operands, p.m, p.k, p.a_stride, p.a)),
      result_(make_layout(p.result, p.m, p.n, p.c_stride, Stored::as_it_is)) {}

ProductDescriptors::Made<cublasLtMatmulDesc_t> ProductDescriptors::make_operation(const BlasProduct& product) const {
  cublasLtMatmulDesc_t made = nullptr;
  library_->check(library_->create_operation(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product");
  Made<cublasLtMatmulDesc_t> operation(made, library_->destroy_operation);
  const auto set = [&](cublasLtMatmulDescAttributes_t attribute, auto value) {
    library_->check(library_->set_operation(made, attribute, &value, sizeof(value)), "describing a product");
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, turn(product.b));
  set(CUBLASLT_MATMUL_DESC_TRANSB, turn(product.a));
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, product.has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT);
  return operation;
}

/// Of the transpose of a matrix [rows,columns].
ProductDescriptors::Made<cublasLtMatrixLayout_t> ProductDescriptors::make_layout(Element element, std::int64_t rows,
                                                                                 std::int64_t columns,
                                                                                 std::int64_t stride,
                                                                                 Stored stored) const {
  if (stored == Stored::transposed) std::swap(rows, columns);
  cublasLtMatrixLayout_t made = nullptr;
  library_->check(library_->create_layout(&made, type_of(element), static_cast<std::uint64_t>(columns),
                                          static_cast<std::uint64_t>(rows), stride),
                  "describing a matrix");
  return {made, library_->destroy_layout};
}

void ProductDescriptors::set_bias(const void* bias) {
  library_->check(library_->set_operation(operation_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof(bias)),
                  "describing a product");
}

Blas make_blas(const std::shared_ptr<const CublasLt>& library, cudaStream_t stream) {
  return [library, stream, handle = make_handle(library),
          preference = make_preference(library)](const BlasProduct& product) -> BlasPlan {
    const auto descriptors = std::make_shared<ProductDescriptors>(library, product);
    cublasLtMatmulHeuristicResult_t chosen{};
    int count = 0;
    const cublasStatus_t status =
        library->choose(handle.get(), descriptors->operation(), descriptors->left(), descriptors->right(),
                        descriptors->result(), descriptors->result(), preference.get(), 1, &chosen, &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
    library->check(status, "choosing an algorithm for a product");
    if (count == 0 || chosen.state != CUBLAS_STATUS_SUCCESS) return {};
    const auto run = [=](const BlasArrays& arrays) {
      if (product.has_bias) descriptors->set_bias(arrays.bias);
      library->check(
          library->multiply(handle.get(), descriptors->operation(), &product.scale, arrays.b, descriptors->left(),
                            arrays.a, descriptors->right(), &product.keep, product.keep == 0 ? arrays.c : arrays.before,
                            descriptors->result(), arrays.c, descriptors->result(), &chosen.algo, arrays.workspace,
                            chosen.workspaceSize, stream),
          "multiplying matrices");
    };
    return {run, chosen.workspaceSize};
  };
}

}  // namespace kernels::cuda
