#include "distributed/evaluator.h"

#include <algorithm>

#include "core/data/loader.h"
#include "core/sde/sde.h"
#include "kernels/check.h"

namespace distributed {

using core::likelihood::BoundTerms;
using core::likelihood::OdeLikelihood;

namespace {

template <typename Figures>
void sort_by_index(std::vector<Figures>& figures) {
  std::sort(figures.begin(), figures.end(), [](const Figures& a, const Figures& b) { return a.index < b.index; });
}

}  // namespace

void require_same_classes(const core::config::RunConfig& config, const core::data::Dataset& training,
                          const core::data::Dataset& heldout) {
  if (config.model().classes() == 0) return;
  const auto ours = training.class_names(), theirs = heldout.class_names();
  const auto [a, b] = std::ranges::mismatch(ours, theirs);
  kernels::require(
      a == ours.end() && b == theirs.end(),
      "data.heldout: its folders are other classes than data.training's: class {} is {} there, and {} here",
      a - ours.begin(), b == theirs.end() ? "none" : *b, a == ours.end() ? "none" : *a);
}

void require_classes(const core::config::RunConfig& config, const core::data::Dataset& dataset) {
  const int classes = config.model().classes();
  kernels::require(classes == 0 || classes == dataset.classes(), "model.classes: is {}, but the images have {} {}",
                   classes, dataset.classes(), dataset.classes() == 1 ? "class" : "classes");
}

Evaluator::Evaluator(const core::config::RunConfig& config, Communicator& communicator,
                     const core::data::Dataset& dataset, std::int64_t images)
    : communicator_(communicator),
      settings_{.sde = core::sde::sde_of(config),
                .range = core::sde::pixel_range(config),
                .smallest_time = config.sde().smallest_time(),
                .seed = static_cast<std::uint64_t>(config.seed()),
                .passes = config.evaluation().passes(),
                .bound_times = config.evaluation().bound_times(),
                .ode_tolerance = config.evaluation().ode_tolerance(),
                .ode_max_evaluations = config.evaluation().ode_max_evaluations(),
                .progress = {}} {
  kernels::require(config.evaluation().dequantisation() == core::config::UNIFORM_NOISE,
                   "evaluation.dequantisation: is BIN_CENTRES, but the model was trained on uniformly dequantised "
                   "pixels and its bound and ODE are those of a "
                   "continuous density: their figures would mean nothing; use UNIFORM_NOISE");
  require_classes(config, dataset);
  const std::vector<std::int64_t> all = core::data::fixed_subset(settings_.seed, dataset.size(), images);
  const std::int64_t count = std::ssize(all), rank = communicator.rank(), size = communicator.size();
  share_.indices.assign(all.begin() + count * rank / size, all.begin() + count * (rank + 1) / size);
  for (std::int64_t index : share_.indices) labels_.push_back(dataset.label(index));
  share_.dims = dataset.shape().elements();
  share_.read = [&dataset](std::int64_t index, std::span<std::uint8_t> pixels) { dataset.read(index, pixels); };
}

template <typename Estimate>
void Evaluator::for_each_class(core::objective::ScoreNetwork& network, const Estimate& estimate) const {
  if (network.classes() == 0) return estimate(network.score(), share_, settings_);
  std::int64_t done = 0;
  for (std::int64_t label = 0; label < network.classes(); ++label) {
    core::likelihood::Images images = share_;
    images.indices.clear();
    for (std::size_t i = 0; i < labels_.size(); ++i)
      if (labels_[i] == label) images.indices.push_back(share_.indices[i]);
    if (images.indices.empty()) continue;
    core::likelihood::Settings settings = settings_;
    if (settings_.progress) {  // over all classes
      settings.progress = [&, before = done, count = std::ssize(images.indices)](std::int64_t now, std::int64_t of) {
        settings_.progress(before * (of / count) + now, std::ssize(share_.indices) * (of / count));
      };
    }
    estimate(network.score(label), images, settings);
    done += std::ssize(images.indices);
  }
}

std::vector<BoundTerms> Evaluator::bound(core::objective::ScoreNetwork& network) {
  std::vector<double> rows;
  for_each_class(network, [&](const auto& score, const auto& images, const auto& settings) {
    for (const BoundTerms& t : core::likelihood::bound(score, images, settings))
      rows.insert(rows.end(), {static_cast<double>(t.index), t.prior, t.diffusion, t.reconstruction});
  });
  const std::vector<double> all = gather(rows, 4);
  std::vector<BoundTerms> terms;
  for (std::size_t i = 0; i < all.size(); i += 4)
    terms.push_back({static_cast<std::int64_t>(all[i]), all[i + 1], all[i + 2], all[i + 3]});
  sort_by_index(terms);
  return terms;
}

std::vector<OdeLikelihood> Evaluator::ode(core::objective::ScoreNetwork& network) {
  std::vector<double> rows;
  for_each_class(network, [&](const auto& score, const auto& images, const auto& settings) {
    for (const OdeLikelihood& o : core::likelihood::ode(score, images, settings))
      rows.insert(rows.end(), {static_cast<double>(o.index), o.bits, o.evaluations});
  });
  const std::vector<double> all = gather(rows, 3);
  std::vector<OdeLikelihood> likelihoods;
  for (std::size_t i = 0; i < all.size(); i += 3)
    likelihoods.push_back({static_cast<std::int64_t>(all[i]), all[i + 1], all[i + 2]});
  sort_by_index(likelihoods);
  return likelihoods;
}

std::vector<double> Evaluator::gather(const std::vector<double>& rows, std::size_t width) {
  const std::vector<std::int64_t> counts = communicator_.all_gather(std::ssize(rows));
  std::int64_t total = 0;
  for (std::int64_t count : counts) total += count;
  std::vector<double> all(static_cast<std::size_t>(total));
  communicator_.all_gather(std::span<const double>(rows), std::span(all), counts);
  kernels::ensure(all.size() % width == 0, "whole rows are gathered");
  return all;
}

}  // namespace distributed
