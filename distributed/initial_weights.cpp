#include "distributed/initial_weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "core/model/initialise.h"
#include "distributed/checkpoint_read.h"
#include "kernels/check.h"

namespace distributed {
namespace {

std::string shape_of(const TensorPlace& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.shape, ","));
}

std::string listed(const std::string& heading, const std::vector<std::string>& tensors) {
  if (tensors.empty()) return {};
  return fmt::format("  {}:\n    {}\n", heading, fmt::join(tensors, "\n    "));
}

std::optional<std::int64_t> step_of(const core::config::InitFrom& origin) {
  return origin.has_step() ? std::optional<std::int64_t>(origin.step()) : std::nullopt;
}

}  // namespace

void initialise(const core::program::Program& program, std::int64_t seed, const Layout& layout,
                std::span<float> weights) {
  core::model::initialise(program, static_cast<std::uint64_t>(seed),
                          [&](std::size_t i) { return layout.tensors[i].range().of(weights); });
}

Match copy_matching(const Layout& from, std::span<const float> source, const Layout& to, std::span<float> target) {
  std::map<std::string, const TensorPlace*> theirs;
  for (const TensorPlace& tensor : from.tensors) theirs[tensor.name] = &tensor;
  Match match;
  for (const TensorPlace& ours : to.tensors) {
    const auto found = theirs.find(ours.name);
    if (found == theirs.end()) {
      match.only_here.push_back(ours.name + " " + shape_of(ours));
      continue;
    }
    const TensorPlace& their = *found->second;
    theirs.erase(found);
    if (their.shape != ours.shape) {
      match.other_shape.push_back(fmt::format("{} {}, here {}", ours.name, shape_of(their), shape_of(ours)));
      continue;
    }
    std::ranges::copy(their.range().of(source), ours.range().of(target).begin());
    ++match.tensors;
    match.elements += ours.count;
  }
  for (const TensorPlace& tensor : from.tensors) {
    if (theirs.contains(tensor.name)) match.only_there.push_back(tensor.name + " " + shape_of(tensor));
  }
  return match;
}

Match start_from(const core::config::InitFrom& origin, Communicator& communicator, const Layout& layout,
                 std::span<float> weights) {
  const auto [step, theirs] = checkpoint_content(communicator, origin.run(), step_of(origin));
  const Floats averaged(theirs.total);
  load_section(communicator, origin.run(), step, theirs, "ema", averaged.span());
  Match match = copy_matching(theirs, averaged.span(), layout, weights);
  kernels::require(match.tensors > 0,
                   "training.init_from: {} holds no parameter of this model: none of its {} has the name and the shape "
                   "of one of these {}; name a run with a similar model",
                   origin.run(), theirs.tensors.size(), layout.tensors.size());
  return match;
}

std::string describe(const core::config::InitFrom& origin, const Match& match) {
  std::string text =
      fmt::format("weights start as the averaged ones of {} at step {}: {} of {} tensors, {} elements\n", origin.run(),
                  origin.step(), match.tensors,
                  match.tensors + std::ssize(match.only_here) + std::ssize(match.other_shape), match.elements);
  text += listed("of another shape there; start at random", match.other_shape);
  text += listed("not there; start at random", match.only_here);
  text += listed("only there; left out", match.only_there);
  return text;
}

core::config::InitFrom with_step(const core::config::InitFrom& origin, Communicator& communicator) {
  core::config::InitFrom complete = origin;
  complete.set_step(checkpoint_content(communicator, origin.run(), step_of(origin)).step);
  return complete;
}

}  // namespace distributed
