// The weights that a run starts with: random ones, or those of another run by matching names and shapes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "core/program/program.h"
#include "distributed/communicator.h"
#include "distributed/parameters.h"

namespace distributed {

/// Fills the flat space as core/model/initialise.h says.
void initialise(const core::program::Program& program, std::int64_t seed, const Layout& layout,
                std::span<float> weights);

/// What was copied, and what was not: "name [shape]", or "name [shape], here [shape]".
struct Match {
  std::int64_t tensors = 0, elements = 0;
  std::vector<std::string> only_there, only_here, other_shape;
};

/// Copies every tensor that has the same name and shape in both layouts.
Match copy_matching(const Layout& from, std::span<const float> source, const Layout& to, std::span<float> target);

/// Fills what matches of `weights`, on every rank all of the flat space, from the averaged weights of another run; the
/// rest stays. Throws InputError where nothing matches or there is no checkpoint. Collective.
Match start_from(const core::config::InitFrom& origin, Communicator& communicator, const Layout& layout,
                 std::span<float> weights);

/// Lines that say what was copied, and list all that was not.
std::string describe(const core::config::InitFrom& origin, const Match& match);

/// The origin with the step of its newest checkpoint where it names none. Collective.
core::config::InitFrom with_step(const core::config::InitFrom& origin, Communicator& communicator);

}  // namespace distributed
