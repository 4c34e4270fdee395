// What is drawn for an image at its global position, for both compilers.
#pragma once

#include <cstdint>

#include "kernels/philox.h"

namespace kernels {

PORTABLE bool draw_mirrored(std::uint64_t seed, std::int64_t position) {
  return (philox(seed, Stream::flip, static_cast<std::uint64_t>(position), 0).word[0] & 1) != 0;
}

/// Where element i of an image of this width and number of channels lies once it is mirrored.
PORTABLE std::uint32_t mirrored_element(std::uint32_t i, std::uint32_t width, std::uint32_t channels) {
  const std::uint32_t column = i / channels % width;
  return i + (width - 1) * channels - 2 * column * channels;
}

/// Four dequantisations in [0, 1), of elements 4 block and following.
PORTABLE Words draw_dequantisation(std::uint64_t seed, std::int64_t position, std::uint32_t block) {
  return philox(seed, Stream::dequantise, static_cast<std::uint64_t>(position), block);
}

/// Four standard normals, of elements 4 block and following.
PORTABLE void draw_noise(std::uint64_t seed, std::int64_t position, std::uint32_t block, float (&z)[4]) {
  const Words words = philox(seed, Stream::noise, static_cast<std::uint64_t>(position), block);
  normal_pair(words.word[0], words.word[1], z[0], z[1]);
  normal_pair(words.word[2], words.word[3], z[2], z[3]);
}

/// The quantile of an image's time, in [0, 1): one image in each stratum of the global batch.
PORTABLE double draw_quantile(std::uint64_t seed, std::int64_t position, std::int64_t global_batch) {
  const std::int64_t step = position / global_batch, image = position % global_batch;
  const Words words = philox(seed, Stream::time, static_cast<std::uint64_t>(step), 0);
  const double shifted =
      uniform_double(words.word[0], words.word[1]) + static_cast<double>(image) / static_cast<double>(global_batch);
  return shifted < 1 ? shifted : shifted - 1;
}

PORTABLE bool draw_dropped(std::uint64_t seed, std::int64_t position, float rate) {
  return uniform_float(philox(seed, Stream::label, static_cast<std::uint64_t>(position), 0).word[0]) < rate;
}

}  // namespace kernels
