// Class labels as vectors.
#pragma once

#include <tuple>

#include "kernels/conv.h"

namespace kernels {

/// y[n,k] = x[n,k] + table[labels[n],k]: a learned vector for each class. labels[n] i64 in 0..rows of table - 1, other
/// values throw logic_error.
struct LabelEmbedding {
  In x, labels, table;
  Out y;
  auto operands() { return std::tie(x, labels, table, y); }
};

/// dtable[l,k] (+)= sum of dy[n,k] over the images with label l.
struct LabelEmbeddingGradient {
  In dy, labels;
  InOut dtable;
  Mode mode = Mode::overwrite;
  auto operands() { return std::tie(dy, labels, dtable); }
};

Step prepare(const LabelEmbedding&, const CpuContext&);
Step prepare(const LabelEmbeddingGradient&, const CpuContext&);

}  // namespace kernels
