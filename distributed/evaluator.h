// Likelihoods of a data set, its images shared out among the ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/config/run.pb.h"
#include "core/data/dataset.h"
#include "core/likelihood/estimate.h"
#include "core/objective/score_network.h"
#include "distributed/communicator.h"

namespace distributed {

/// Throws InputError where the network is told classes and the images have others.
void require_classes(const core::config::RunConfig& config, const core::data::Dataset& dataset);
/// Throws InputError where the network is told classes and the two sets do not number the same ones.
void require_same_classes(const core::config::RunConfig& config, const core::data::Dataset& training,
                          const core::data::Dataset& heldout);

class Evaluator {
 public:
  /// `images` of the data set: a fixed random subset, or all of them where there are no more. Throws InputError for a
  /// dequantisation that the estimators of continuous densities cannot be used with. A network that is told classes is
  /// evaluated given the class of each image.
  Evaluator(const core::config::RunConfig& config, Communicator& communicator, const core::data::Dataset& dataset,
            std::int64_t images);

  /// Per-image figures of all images on every rank, by ascending index. Collective.
  std::vector<core::likelihood::BoundTerms> bound(core::objective::ScoreNetwork& network);
  std::vector<core::likelihood::OdeLikelihood> ode(core::objective::ScoreNetwork& network);

  const core::likelihood::Settings& settings() const { return settings_; }
  /// Called by rank 0 with the images done and to do of its share.
  void on_progress(std::function<void(std::int64_t done, std::int64_t of)> progress) {
    if (communicator_.rank() == 0) settings_.progress = std::move(progress);
  }

 private:
  /// Calls estimate(score, images, settings) for this rank's images: for all at once, or class by class.
  template <typename Estimate>
  void for_each_class(core::objective::ScoreNetwork& network, const Estimate& estimate) const;
  /// Puts the ranks' rows of `width` numbers one after another.
  std::vector<double> gather(const std::vector<double>& rows, std::size_t width);

  Communicator& communicator_;
  core::likelihood::Settings settings_;
  core::likelihood::Images share_;    // of this rank
  std::vector<std::int64_t> labels_;  // of share_.indices
};

}  // namespace distributed
