#include "kernels/label.h"

#include "kernels/gpu_launch.h"

namespace kernels::BACKEND {
namespace {

__global__ void __launch_bounds__(block_threads)
    label_embedding(std::int64_t elements, std::int64_t k, std::int64_t rows, const float* x,
                    const std::int64_t* labels, const float* table, float* y) {
  for (std::int64_t i = first_item(); i < elements; i += item_stride()) {
    const std::int64_t label = labels[i / k];
    if (label < 0 || label >= rows) __trap();  // not one of the table's rows
    y[i] = x[i] + table[label * k + i % k];
  }
}

/// A thread for each element of the table, and the images in their order: the same bits every time.
__global__ void __launch_bounds__(block_threads)
    label_embedding_gradient(std::int64_t elements, std::int64_t k, std::int64_t images, Mode mode, const float* dy,
                             const std::int64_t* labels, float* dtable) {
  for (std::int64_t i = first_item(); i < elements; i += item_stride()) {
    float sum = mode == Mode::accumulate ? dtable[i] : 0.0f;
    for (std::int64_t n = 0; n < images; ++n)
      if (labels[n] == i / k) sum += dy[n * k + i % k];
    dtable[i] = sum;
  }
}

}  // namespace

template <>
Step prepare(const LabelEmbedding& op, const GpuContext& context) {
  const std::int64_t images = op.y.shape[0], k = op.y.shape[1], rows = op.table.shape[0];
  ensure(op.x.shape == op.y.shape && op.table.shape == Shape{rows, k} && op.labels.shape == Shape{images},
         "LabelEmbedding takes x[n,k], labels[n], table[rows,k]");
  return {.run = [=, stream = context.stream](const Memory& memory) {
    launch<label_embedding>(blocks_for(images * k), block_threads, 0, stream, images * k, k, rows,
                            memory.at<const float>(op.x), memory.at<const std::int64_t>(op.labels),
                            memory.at<const float>(op.table), memory.at<float>(op.y));
  }};
}

template <>
Step prepare(const LabelEmbeddingGradient& op, const GpuContext& context) {
  const std::int64_t images = op.dy.shape[0], k = op.dy.shape[1], rows = op.dtable.shape[0];
  ensure(op.dtable.shape == Shape{rows, k} && op.labels.shape == Shape{images},
         "LabelEmbeddingGradient takes dy[n,k], labels[n], dtable[rows,k]");
  return {.run = [=, stream = context.stream](const Memory& memory) {
    launch<label_embedding_gradient>(blocks_for(rows * k), block_threads, 0, stream, rows * k, k, images, op.mode,
                                     memory.at<const float>(op.dy), memory.at<const std::int64_t>(op.labels),
                                     memory.at<float>(op.dtable));
  }};
}

}  // namespace kernels::BACKEND
