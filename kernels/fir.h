// Resampling by the filter (1,3,3,1), one axis at a time, as weighted sums of few rows or pixels.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/conv.h"

namespace kernels {

/// One row (or column) of a result as a sum of weight[t] times row[t] of a source.
struct Taps {
  std::int64_t count = 0;
  std::array<std::int64_t, 4> row{};
  std::array<float, 4> weight{};
};

/// For each of the `outputs` rows of v, where it comes from among the `extent` rows of u (see Resample); none where the
/// resampling is not by a filter.
std::vector<Taps> fir_taps(Resample resample, std::int64_t extent, std::int64_t outputs);

/// For each of the `extent` rows of u, where it goes to: the same sums transposed.
std::vector<Taps> transposed(const std::vector<Taps>& taps, std::int64_t extent);

/// out = scale * the sum, of rows of `elements` each; out is not among them.
void combine(const Taps& taps, float scale, const float* rows, std::int64_t elements, float* out);

}  // namespace kernels
