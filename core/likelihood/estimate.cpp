#include "core/likelihood/estimate.h"

#include <cmath>
#include <numbers>

#include "kernels/check.h"
#include "kernels/philox.h"

namespace core::likelihood {

using kernels::Stream;

void dequantise(std::span<const std::uint8_t> pixels, std::uint64_t seed, std::int64_t index, std::int64_t pass,
                std::span<double> x, const kernels::PixelRange& range) {
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const auto words = kernels::philox(seed, Stream::dequantise, static_cast<std::uint64_t>(index),
                                       static_cast<std::uint32_t>(i / 2), static_cast<std::uint32_t>(1 + pass));
    const double u = kernels::uniform_double(words.word[2 * (i % 2)], words.word[2 * (i % 2) + 1]);
    x[i] = range.value(pixels[i] + u);
  }
}

void normals(std::uint64_t seed, std::int64_t index, std::int64_t pass, std::int64_t draw, std::span<double> z) {
  const std::uint64_t key = static_cast<std::uint64_t>(index) << 24 | static_cast<std::uint64_t>(draw);
  for (std::size_t i = 0; i < z.size(); i += 2) {
    double pair[2];
    kernels::normal_pair(kernels::philox(seed, Stream::noise, key, static_cast<std::uint32_t>(i / 2),
                                         static_cast<std::uint32_t>(1 + pass)),
                         pair[0], pair[1]);
    for (std::size_t j = i; j < std::min(i + 2, z.size()); ++j) z[j] = pair[j - i];
  }
}

double bits_per_dim(double nats, std::int64_t dims, const kernels::PixelRange& range) {
  return nats / (static_cast<double>(dims) * std::numbers::ln2) + offset_bits(range);
}

double offset_bits(const kernels::PixelRange& range) {
  return std::log2(256 / range.width);
}

Summary summarise(std::span<const double> values) {
  double sum = 0, squares = 0;
  for (double value : values) sum += value;
  const auto n = static_cast<double>(values.size());
  const double mean = sum / n;
  for (double value : values) squares += (value - mean) * (value - mean);
  return {mean, values.size() > 1 ? std::sqrt(squares / (n - 1) / n) : NAN, std::ssize(values)};
}

}  // namespace core::likelihood
