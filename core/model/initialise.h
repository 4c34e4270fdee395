// The first weights of a network.
#pragma once

#include <functional>
#include <span>

#include "core/program/program.h"

namespace core::model {

/// Fills weights(i) for each parameter i by its Initialiser: a pure function of the seed, i and the element, whatever
/// the number of ranks.
void initialise(const program::Program& program, std::uint64_t seed,
                const std::function<std::span<float>(std::size_t)>& weights);

}  // namespace core::model
