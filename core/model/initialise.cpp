#include "core/model/initialise.h"

#include "kernels/philox.h"

namespace core::model {

void initialise(const program::Program& program, std::uint64_t seed,
                const std::function<std::span<float>(std::size_t)>& weights) {
  for (std::size_t p = 0; p < program.parameters().size(); ++p) {
    const program::Initialiser& start = program.parameters()[p].initialiser;
    const std::span<float> values = weights(p);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto words = kernels::philox(seed, kernels::Stream::initialise, p, static_cast<std::uint32_t>(i / 4));
      values[i] = start.centre + start.limit * (2 * kernels::uniform_float(words.word[i % 4]) - 1);
    }
  }
}

}  // namespace core::model
