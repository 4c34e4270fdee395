#include "kernels/linear.h"

#include "kernels/gpu_choice.h"
#include "kernels/gpu_column_sums.h"
#include "kernels/gpu_library.h"
#include "kernels/gpu_matrix.h"

namespace kernels::BACKEND {
namespace {

/// The product of two matrices of floats in memory, to a third.
template <int width, Along along_a, Along along_b>
void multiply(void* stream, const ProductSize& size, const Tensor& a, const Tensor& b, const Tensor& to,
              const float* bias, Mode mode, const Memory& memory) {
  const auto matrix = [&]<Along along>(const Tensor& tensor, std::integral_constant<Along, along>) {
    const auto lines = static_cast<int>(tensor.shape[0]), cells = static_cast<int>(tensor.shape[1]);
    return Matrix<width, along>{.data = const_array(tensor, memory), .lines = lines, .cells = cells, .stride = cells};
  };
  product<FloatTile>(stream, size, matrix(a, std::integral_constant<Along, along_a>{}),
                     matrix(b, std::integral_constant<Along, along_b>{}),
                     StoreMatrix<width>{.size = {size.rows, size.columns, FloatTile::rows, FloatTile::columns},
                                        .to = array(to, memory),
                                        .stride = size.columns,
                                        .bias = bias,
                                        .mode = mode});
}

ProductSize product_size(std::int64_t rows, std::int64_t columns, std::int64_t k) {
  return {static_cast<int>(rows), static_cast<int>(columns), static_cast<int>(k), static_cast<int>(k)};
}

}  // namespace

template <>
Step prepare(const Linear& op, const GpuContext& context) {
  check_linear(op.x, op.weight, op.y);
  ensure(!op.bias || op.bias.shape == Shape{op.y.shape[1]}, "Linear's bias is [k]");
  ScratchLayout scratch;
  if (PartOfStep run = multiply_forward(context, op.x, op.weight, op.bias, Tensor(), 1, op.y, scratch))
    return {run, scratch.bytes()};
  return with_groups({op.x.shape[1], op.y.shape[1]}, [&](auto width) -> Step {
    return {[=, stream = context.stream](const Memory& memory) {
      multiply<width, Along::k, Along::k>(stream, product_size(op.x.shape[0], op.y.shape[1], op.x.shape[1]), op.x,
                                          op.weight, op.y, memory.at<const float>(op.bias), Mode::overwrite, memory);
    }};
  });
}

template <>
Step prepare(const LinearDataGradient& op, const GpuContext& context) {
  check_linear(op.dx, op.weight, op.dy);
  ScratchLayout scratch;
  if (PartOfStep run = multiply_back(context, op.dy, op.weight, 1, op.mode, op.dx, scratch))
    return {run, scratch.bytes()};
  return with_groups({op.dx.shape[1], op.dy.shape[1]}, [&](auto width) -> Step {
    return {[=, stream = context.stream](const Memory& memory) {
      multiply<width, Along::k, Along::rows>(stream, product_size(op.dx.shape[0], op.dx.shape[1], op.dy.shape[1]),
                                             op.dy, op.weight, op.dx, nullptr, op.mode, memory);
    }};
  });
}

template <>
Step prepare(const LinearWeightGradient& op, const GpuContext& context) {
  check_linear(op.x, op.dweight, op.dy);
  const std::int64_t m = op.x.shape[0], c = op.x.shape[1], k = op.dy.shape[1];
  ensure(!op.dbias || op.dbias.shape == Shape{k}, "Linear's bias gradient is [k]");
  ScratchLayout scratch;
  const ColumnSums column_sums({1, static_cast<int>(m), 1, ColumnSums::block_rows}, static_cast<int>(k), scratch);
  PartOfStep multiply_all = multiply_gradients(context, op.dy, op.x, 1, op.mode, op.dweight, 0, scratch);
  if (!multiply_all)
    multiply_all = with_groups({c, k}, [&](auto width) -> PartOfStep {
      return [=, stream = context.stream](const Memory& memory) {
        multiply<width, Along::rows, Along::rows>(stream, product_size(k, c, m), op.dy, op.x, op.dweight, nullptr,
                                                  op.mode, memory);
      };
    });
  return {[=, stream = context.stream](const Memory& memory) {
            multiply_all(memory);
            column_sums.run(stream, memory, const_array(op.dy, memory), 1, op.mode, nullptr,
                            memory.at<float>(op.dbias));
          },
          scratch.bytes()};
}

}  // namespace kernels::BACKEND
