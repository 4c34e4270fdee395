#include "kernels/fir.h"

namespace kernels {
namespace {

void add(Taps& taps, std::int64_t row, float weight) {
  ensure(taps.count < 4, "a filter has four taps");
  taps.row[static_cast<std::size_t>(taps.count)] = row;
  taps.weight[static_cast<std::size_t>(taps.count++)] = weight;
}

}  // namespace

bool is_filter(Resample resample) {
  return resample == Resample::fir_up || resample == Resample::fir_down || resample == Resample::fir_stride ||
         resample == Resample::fir_transpose;
}

Filter filter_of(Resample resample) {
  switch (resample) {
    case Resample::fir_up:
      return {.step = 1, .pad = 2, .zeros = 1, .divisor = 4};
    case Resample::fir_down:
      return {.step = 2, .pad = 1, .zeros = 0, .divisor = 8};
    case Resample::fir_stride:
      return {.step = 1, .pad = 2, .zeros = 0, .divisor = 8};
    case Resample::fir_transpose:
      return {.step = 1, .pad = 3, .zeros = 1, .divisor = 4};
    default:
      return {};
  }
}

std::vector<Taps> fir_taps(Resample resample, std::int64_t extent, std::int64_t outputs) {
  if (!is_filter(resample)) return {};
  const Filter filter = filter_of(resample);
  std::vector<Taps> taps(static_cast<std::size_t>(outputs));
  for (std::size_t j = 0; j < taps.size(); ++j) {
    for (int a = 0; a < Filter::taps; ++a) {
      const FilterTap tap = filter.source(static_cast<int>(j), a, static_cast<int>(extent));
      if (tap.at >= 0) add(taps[j], tap.at, tap.weight);
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
