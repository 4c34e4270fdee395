// Resampling by the filter (1,3,3,1), one axis at a time, as weighted sums of few rows or pixels.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/conv.h"
#include "kernels/portable.h"

namespace kernels {

/// One term of a filtered row (or column): weight times row `at`; at < 0: there is none.
struct FilterTap {
  int at;
  float weight;
};

/// v[j] = sum_a k[a] z[step j + a - pad] / divisor, k = (1, 3, 3, 1) and z the source with `zeros` zeros after each
/// pixel.
struct Filter {
  int step = 1, pad = 0, zeros = 0;
  float divisor = 1;
  static constexpr int taps = 4;

  /// Term a of v[j], from a source of `extent` rows.
  PORTABLE FilterTap source(int j, int a, int extent) const {
    const int z = step * j + a - pad, stride = zeros + 1;
    return {z >= 0 && z % stride == 0 && z / stride < extent ? z / stride : -1, weight(a)};
  }
  /// Where term a of the sums that row i of the source goes to stands among the `outputs` of v.
  PORTABLE FilterTap target(int i, int a, int outputs) const {
    const int from = (zeros + 1) * i + pad - a;
    return {from >= 0 && from % step == 0 && from / step < outputs ? from / step : -1, weight(a)};
  }

 private:
  PORTABLE float weight(int a) const { return (a == 0 || a == 3 ? 1.0f : 3.0f) / divisor; }
};

/// Whether Resample's table names the filter k, and how it is applied there.
bool is_filter(Resample resample);
Filter filter_of(Resample resample);

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
