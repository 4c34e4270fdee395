// Randomness as a pure function: Philox4x32-10 (Salmon et al. 2011) of (seed, stream, image, draw), the same on every
// device.
#pragma once

#include <Random123/philox.h>

#include <cmath>
#include <cstdint>

#include "kernels/uniform.h"

namespace kernels {

/// What a random number is for: numbers of different streams never meet.
enum class Stream : std::uint32_t {
  initialise,
  shuffle,
  source,
  dequantise,
  flip,
  time,
  noise,
  dropout,
  probe,
  sampling,
  label
};

/// 128 random bits.
struct Words {
  std::uint32_t word[4];
};

/// The last word of a counter.
PORTABLE std::uint32_t stream_and_site(Stream stream, std::uint32_t site) {
  return static_cast<std::uint32_t>(stream) + 256 * site;
}

/// The words at counter (image's low half, its high half, block, stream + 256 * site) under the key `seed`. `image` is
/// a global position or the index of an image, all 64 bits; `block` counts within the image; `site`, below 2^24, tells
/// passes, steps or places in a network apart.
PORTABLE Words philox(std::uint64_t seed, Stream stream, std::uint64_t image, std::uint32_t block,
                      std::uint32_t site = 0) {
  const r123::Philox4x32::ctr_type counter = {{static_cast<std::uint32_t>(image),
                                               static_cast<std::uint32_t>(image >> 32), block,
                                               stream_and_site(stream, site)}};
  const r123::Philox4x32::key_type key = {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const auto words = r123::Philox4x32()(counter, key);
  return {{words[0], words[1], words[2], words[3]}};
}

/// Two independent standard normals (Box and Muller 1958). The radius is at most 5.9 in float, 8.5 in double.
PORTABLE void normal_pair(std::uint32_t a, std::uint32_t b, float& first, float& second) {
  const float radius = std::sqrt(-2 * std::log((static_cast<float>(a >> 8) + 0.5f) * 0x1p-24f));
  const float angle = static_cast<float>(b >> 8) * (6.283185307179586f * 0x1p-24f);
  first = radius * std::cos(angle);
  second = radius * std::sin(angle);
}
PORTABLE void normal_pair(const Words& w, double& first, double& second) {
  const double radius = std::sqrt(-2 * std::log(1 - uniform_double(w.word[0], w.word[1])));
  const double angle = 6.283185307179586476925 * uniform_double(w.word[2], w.word[3]);
  first = radius * std::cos(angle);
  second = radius * std::sin(angle);
}

}  // namespace kernels
