#include "kernels/simt/blas.h"

#include <cstring>

namespace kernels::simt {
namespace {

float value(const void* data, Element element, std::int64_t i) {
  return element == Element::f32 ? static_cast<const float*>(data)[i] : widen(static_cast<const Bf16*>(data)[i]);
}
void set(void* data, Element element, std::int64_t i, float value) {
  if (element == Element::f32)
    static_cast<float*>(data)[i] = value;
  else
    static_cast<Bf16*>(data)[i] = narrow(value);
}

/// Element (row, column) of an operand.
struct Operand {
  const void* data;
  Element element;
  std::int64_t row_stride, column_stride;
  Operand(const void* from, Element type, Stored stored, std::int64_t stride)
      : data(from),
        element(type),
        row_stride(stored == Stored::as_it_is ? stride : 1),
        column_stride(stored == Stored::as_it_is ? 1 : stride) {}
  float operator()(std::int64_t row, std::int64_t column) const {
    return value(data, element, row * row_stride + column * column_stride);
  }
};

void multiply(const BlasProduct& p, const BlasArrays& arrays) {
  const Operand a(arrays.a, p.operands, p.a, p.a_stride), b(arrays.b, p.operands, p.b, p.b_stride);
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < p.n; ++j) {
      float sum = 0;
      for (std::int64_t k = 0; k < p.k; ++k) sum += a(i, k) * b(k, j);
      const std::int64_t at = i * p.c_stride + j;
      float result = p.scale * sum;
      if (p.keep != 0) result += p.keep * value(arrays.before, p.result, at);
      if (p.has_bias) result += value(arrays.bias, p.result, j);
      set(arrays.c, p.result, at, result);
    }
}

bool is_aligned(const void* array, std::size_t bytes) {
  return array && reinterpret_cast<std::uintptr_t>(array) % bytes == 0;
}
void expect_aligned(std::initializer_list<const void*> arrays) {
  for (const void* array : arrays) ensure(is_aligned(array, 16), "a product's arrays lie at multiples of 16 bytes");
}

}  // namespace

BlasPlan plan_product(const BlasProduct& product) {
  constexpr std::size_t workspace_bytes = 1000;
  return {[product](const BlasArrays& arrays) {
            expect_aligned({arrays.a, arrays.b, arrays.c});
            ensure(is_aligned(arrays.workspace, 256), "a product's workspace lies at a multiple of 256 bytes");
            if (product.keep != 0) expect_aligned({arrays.before});
            if (product.has_bias) expect_aligned({arrays.bias});
            std::memset(arrays.workspace, 0xff, workspace_bytes);
            multiply(product, arrays);
          },
          workspace_bytes};
}

}  // namespace kernels::simt
