#include "distributed/binding.h"

#include "core/program/exchange.h"
#include "distributed/metrics.h"

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

kernels::OnExchange exchange_within(core::objective::TrainingProgram& training, Reducer& reducer,
                                    std::function<void(double seconds)> waited) {
  if (!reducer.collectives().within_programs()) return {};
  std::vector<std::vector<core::program::Tensor>> buckets;
  for (const Bucket& bucket : reducer.buckets()) {
    buckets.emplace_back(training.gradients.begin() + bucket.first_tensor,
                         training.gradients.begin() + bucket.last_tensor + 1);
  }
  core::program::insert_exchanges(training.program, buckets);
  return [&reducer, waited = std::move(waited), end = static_cast<int>(buckets.size())](int topic, std::span<float>) {
    const Timer timer;
    if (topic == end) {
      reducer.complete();
      waited(timer.seconds());
      return;
    }
    if (topic >= 0) reducer.start(topic);
    reducer.collectives().progress();
  };
}

}  // namespace distributed
