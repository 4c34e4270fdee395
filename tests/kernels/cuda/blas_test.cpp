// cuBLASLt is told of the product that is meant: what it reads in the descriptors, and, where there is a GPU, what it
// makes of them. Where the library is not found: that is known.
#include "kernels/cuda/blas.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/simt/blas.h"
#include "tests/kernels/cuda/memory.h"

namespace kernels::test {
namespace {

using cuda::CublasLt;

/// y[m,n] = 0.5 (x w^T + residual) + bias and the like, in every way of storing.
std::vector<BlasProduct> products() {
  std::vector<BlasProduct> list;
  for (const Stored a : {Stored::as_it_is, Stored::transposed})
    for (const Stored b : {Stored::as_it_is, Stored::transposed})
      for (const Element operands : {Element::f32, Element::bf16})
        for (const float keep : {0.0f, 0.25f}) {
          constexpr std::int64_t m = 48, n = 24, k = 40;
          list.push_back({.m = m,
                          .n = n,
                          .k = k,
                          .a = a,
                          .b = b,
                          .operands = operands,
                          .result = keep == 0 ? operands : Element::f32,
                          .a_stride = (a == Stored::as_it_is ? k : m) + 8,
                          .b_stride = (b == Stored::as_it_is ? n : k) + 16,
                          .c_stride = n + 8,
                          .scale = 0.5f,
                          .keep = keep,
                          .has_bias = a == b});
        }
  return list;
}

template <typename Function>
Function* function(const char* name) {
  void* const library = dlopen(CublasLt::file_name().c_str(), RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<Function*>(dlsym(library, name));
}

std::int64_t attribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t which, std::size_t bytes) {
  std::int64_t value = 0;
  std::size_t written = 0;
  EXPECT_EQ(function<decltype(cublasLtMatrixLayoutGetAttribute)>("cublasLtMatrixLayoutGetAttribute")(
                layout, which, &value, bytes, &written),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(written, bytes);
  return value;
}
std::int64_t attribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t which) {
  std::int32_t value = 0;
  std::size_t written = 0;
  EXPECT_EQ(function<decltype(cublasLtMatmulDescGetAttribute)>("cublasLtMatmulDescGetAttribute")(
                operation, which, &value, sizeof(value), &written),
            CUBLAS_STATUS_SUCCESS);
  return value;
}

/// The library's matrix has the lines of ours as its columns.
void expect_layout(cublasLtMatrixLayout_t layout, Element element, std::int64_t lines, std::int64_t cells,
                   std::int64_t stride) {
  EXPECT_EQ(attribute(layout, CUBLASLT_MATRIX_LAYOUT_TYPE, 4), element == Element::f32 ? CUDA_R_32F : CUDA_R_16BF);
  EXPECT_EQ(attribute(layout, CUBLASLT_MATRIX_LAYOUT_ROWS, 8), cells);
  EXPECT_EQ(attribute(layout, CUBLASLT_MATRIX_LAYOUT_COLS, 8), lines);
  EXPECT_EQ(attribute(layout, CUBLASLT_MATRIX_LAYOUT_LD, 8), stride);
  EXPECT_EQ(attribute(layout, CUBLASLT_MATRIX_LAYOUT_ORDER, 4), CUBLASLT_ORDER_COL);
}

TEST(CublasLt, IsToldOfTheProductThatIsMeant) {
  const auto library = CublasLt::load();
  if (!library) return;
  EXPECT_GE(library->version(), std::size_t{CUBLAS_VER_MAJOR * 10000});
  for (const BlasProduct& p : products()) {
    const cuda::ProductDescriptors told(library, p);
    const bool a_turned = p.a == Stored::transposed, b_turned = p.b == Stored::transposed;
    expect_layout(told.left(), p.operands, b_turned ? p.n : p.k, b_turned ? p.k : p.n, p.b_stride);
    expect_layout(told.right(), p.operands, a_turned ? p.k : p.m, a_turned ? p.m : p.k, p.a_stride);
    expect_layout(told.result(), p.result, p.m, p.n, p.c_stride);
    EXPECT_EQ(attribute(told.operation(), CUBLASLT_MATMUL_DESC_TRANSA), b_turned ? CUBLAS_OP_T : CUBLAS_OP_N);
    EXPECT_EQ(attribute(told.operation(), CUBLASLT_MATMUL_DESC_TRANSB), a_turned ? CUBLAS_OP_T : CUBLAS_OP_N);
    EXPECT_EQ(attribute(told.operation(), CUBLASLT_MATMUL_DESC_COMPUTE_TYPE), CUBLAS_COMPUTE_32F);
    EXPECT_EQ(attribute(told.operation(), CUBLASLT_MATMUL_DESC_SCALE_TYPE), CUDA_R_32F);
    EXPECT_EQ(attribute(told.operation(), CUBLASLT_MATMUL_DESC_EPILOGUE),
              p.has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT);
  }
}

/// Small integers in an element type, whose products and sums are exact.
std::vector<std::byte> integers(Element element, std::int64_t count, std::int64_t step) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * kernels::bytes(element));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i * step % 7 - 3);
    if (element == Element::f32)
      reinterpret_cast<float*>(bytes.data())[i] = value;
    else
      reinterpret_cast<Bf16*>(bytes.data())[i] = narrow(value);
  }
  return bytes;
}

TEST(CublasLt, MultipliesAsTheEmulationDoes) {
  const auto library = CublasLt::load();
  if (!library) return;
  if (!has_gpu()) {
    EXPECT_THROW(cuda::make_blas(library, nullptr), std::runtime_error);
    return;
  }
  const Blas blas = cuda::make_blas(library, nullptr);
  for (const BlasProduct& p : products()) {
    const auto lines = [](Stored stored, std::int64_t rows, std::int64_t columns) {
      return stored == Stored::as_it_is ? rows : columns;
    };
    const auto a = integers(p.operands, lines(p.a, p.m, p.k) * p.a_stride, 3),
               b = integers(p.operands, lines(p.b, p.k, p.n) * p.b_stride, 5),
               before = integers(p.result, p.m * p.c_stride, 2), bias = integers(p.result, p.n, 4);
    auto wanted = before;
    alignas(memory_alignment) std::byte workspace[4096];
    simt::plan_product(p).run({a.data(), b.data(), before.data(), bias.data(), wanted.data(), workspace});

    const BlasPlan plan = blas(p);
    ASSERT_TRUE(plan.run);
    const OnGpu on_a(a), on_b(b), on_before(before), on_bias(bias), on_c(before),
        on_workspace(std::vector<std::byte>(plan.workspace_bytes + 1));
    for (int repeat = 0; repeat < 2; ++repeat) {
      plan.run({on_a.data(), on_b.data(), on_before.data(), on_bias.data(), on_c.data(), on_workspace.data()});
      EXPECT_EQ(on_c.values(), wanted);
    }
  }
}

}  // namespace
}  // namespace kernels::test
