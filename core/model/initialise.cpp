#include "core/model/initialise.h"

#include "kernels/philox.h"

namespace core::model {
namespace {

/// Of the four normals that 128 random bits make.
float normal(const kernels::Words& words, std::size_t which) {
  float pair[2];
  const std::size_t first = which / 2 * 2;
  kernels::normal_pair(words.word[first], words.word[first + 1], pair[0], pair[1]);
  return pair[which % 2];
}

}  // namespace

void initialise(const program::Program& program, std::uint64_t seed,
                const std::function<std::span<float>(std::size_t)>& weights) {
  for (std::size_t p = 0; p < program.parameters().size(); ++p) {
    const program::Initialiser& start = program.parameters()[p].initialiser;
    const std::span<float> values = weights(p);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto words = kernels::philox(seed, kernels::Stream::initialise, p, static_cast<std::uint32_t>(i / 4));
      values[i] = start.centre + start.limit * (2 * kernels::uniform_float(words.word[i % 4]) - 1);
      if (start.deviation > 0) values[i] = start.centre + start.deviation * normal(words, i % 4);
    }
  }
}

}  // namespace core::model
