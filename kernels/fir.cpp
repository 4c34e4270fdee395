#include "kernels/fir.h"

namespace kernels {
namespace {

/// v[j] = sum_a k[a] z[step j + a - pad] / divisor, z the source with `zeros` zeros after each pixel.
struct Filter {
  std::int64_t step, pad, zeros;
  float divisor;
};

void add(Taps& taps, std::int64_t row, float weight) {
  ensure(taps.count < 4, "a filter has four taps");
  taps.row[static_cast<std::size_t>(taps.count)] = row;
  taps.weight[static_cast<std::size_t>(taps.count++)] = weight;
}

}  // namespace

std::vector<Taps> fir_taps(Resample resample, std::int64_t extent, std::int64_t outputs) {
  constexpr std::array<float, 4> kernel{1, 3, 3, 1};
  Filter filter{};
  switch (resample) {
    case Resample::none:
    case Resample::up:
    case Resample::down:
    case Resample::stride:
      return {};
    case Resample::fir_up:
      filter = {.step = 1, .pad = 2, .zeros = 1, .divisor = 4};
      break;
    case Resample::fir_down:
      filter = {.step = 2, .pad = 1, .zeros = 0, .divisor = 8};
      break;
    case Resample::fir_stride:
      filter = {.step = 1, .pad = 2, .zeros = 0, .divisor = 8};
      break;
    case Resample::fir_transpose:
      filter = {.step = 1, .pad = 3, .zeros = 1, .divisor = 4};
      break;
  }
  std::vector<Taps> taps(static_cast<std::size_t>(outputs));
  for (std::int64_t j = 0; j < outputs; ++j) {
    for (std::int64_t a = 0; a < 4; ++a) {
      const std::int64_t z = filter.step * j + a - filter.pad;
      if (z < 0 || z % (filter.zeros + 1) != 0 || z / (filter.zeros + 1) >= extent) continue;
      add(taps[static_cast<std::size_t>(j)], z / (filter.zeros + 1),
          kernel[static_cast<std::size_t>(a)] / filter.divisor);
    }
  }
  return taps;
}

std::vector<Taps> transposed(const std::vector<Taps>& taps, std::int64_t extent) {
  if (taps.empty()) return {};
  std::vector<Taps> result(static_cast<std::size_t>(extent));
  for (std::size_t j = 0; j < taps.size(); ++j) {
    for (std::size_t t = 0; t < static_cast<std::size_t>(taps[j].count); ++t)
      add(result[static_cast<std::size_t>(taps[j].row[t])], static_cast<std::int64_t>(j), taps[j].weight[t]);
  }
  return result;
}

void combine(const Taps& taps, float scale, const float* rows, std::int64_t elements, float* out) {
  float* __restrict result = out;
  for (std::int64_t i = 0; i < elements; ++i) result[i] = 0;
  for (std::size_t t = 0; t < static_cast<std::size_t>(taps.count); ++t) {
    const float* __restrict row = rows + taps.row[t] * elements;
    const float weight = scale * taps.weight[t];
#pragma omp simd
    for (std::int64_t i = 0; i < elements; ++i) result[i] += weight * row[i];
  }
}

}  // namespace kernels
