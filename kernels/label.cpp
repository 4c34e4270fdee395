#include "kernels/label.h"

#include <algorithm>

namespace kernels {
namespace {

/// The row of the table that image n has.
std::int64_t row(const Memory& memory, const In& labels, std::int64_t n, std::int64_t rows) {
  const std::int64_t label = memory.at<std::int64_t>(labels)[n];
  ensure(label >= 0 && label < rows, "a label is one of the table's rows");
  return label;
}

}  // namespace

Step prepare(const LabelEmbedding& op, const CpuContext&) {
  const std::int64_t images = op.y.shape[0], k = op.y.shape[1], rows = op.table.shape[0];
  ensure(op.x.shape == op.y.shape && op.table.shape == Shape{rows, k} && op.labels.shape == Shape{images},
         "LabelEmbedding takes x[n,k], labels[n], table[rows,k]");
  return {.run = [=](const Memory& memory) {
    const float *x = memory.at<float>(op.x), *table = memory.at<float>(op.table);
    float* y = memory.at<float>(op.y);
    for (std::int64_t n = 0; n < images; ++n) {
      const float* const vector = table + row(memory, op.labels, n, rows) * k;
      for (std::int64_t i = 0; i < k; ++i) y[n * k + i] = x[n * k + i] + vector[i];
    }
  }};
}

Step prepare(const LabelEmbeddingGradient& op, const CpuContext&) {
  const std::int64_t images = op.dy.shape[0], k = op.dy.shape[1], rows = op.dtable.shape[0];
  ensure(op.dtable.shape == Shape{rows, k} && op.labels.shape == Shape{images},
         "LabelEmbeddingGradient takes dy[n,k], labels[n], dtable[rows,k]");
  return {.run = [=](const Memory& memory) {
    const float* dy = memory.at<float>(op.dy);
    float* dtable = memory.at<float>(op.dtable);
    if (op.mode == Mode::overwrite) std::fill_n(dtable, rows * k, 0.0f);
    for (std::int64_t n = 0; n < images; ++n) {
      float* const vector = dtable + row(memory, op.labels, n, rows) * k;
      for (std::int64_t i = 0; i < k; ++i) vector[i] += dy[n * k + i];
    }
  }};
}

}  // namespace kernels
