#include "distributed/binding.h"

namespace distributed {

Layout layout_of(std::span<const core::program::Parameter> parameters) {
  std::vector<NamedShape> shapes;
  for (const core::program::Parameter& parameter : parameters) {
    NamedShape& named = shapes.emplace_back(NamedShape{parameter.name, {}});
    for (int i = 0; i < parameter.tensor.shape.rank(); ++i) named.shape.push_back(parameter.tensor.shape[i]);
  }
  return make_layout(shapes);
}

void bind_flat(core::objective::ScoreNetwork& network, const Layout& layout, std::span<float> weights) {
  for (std::size_t i = 0; i < layout.tensors.size(); ++i) network.bind(i, layout.tensors[i].range().of(weights));
}

void bind_flat(core::program::Executor& executor, const core::objective::TrainingProgram& training,
               const Layout& layout, const MirroredParameters& parameters) {
  const auto& places = layout.tensors;
  for (std::size_t i = 0; i < places.size(); ++i) {
    executor.bind(training.program.parameters()[i].tensor, places[i].range().of(parameters.weights.device()));
    executor.bind(training.gradients[i], places[i].range().of(parameters.gradient.device()));
  }
}

}  // namespace distributed
