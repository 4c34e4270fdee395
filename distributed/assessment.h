// What a training run shows of its averaged weights on the way: the held-out bound, and samples.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/config/run.pb.h"
#include "core/data/dataset.h"
#include "core/objective/score_network.h"
#include "distributed/communicator.h"
#include "distributed/evaluator.h"
#include "distributed/metrics.h"
#include "distributed/mirrored.h"

namespace distributed {

/// All functions are collective; `metrics` is rank 0's, and absent on the others.
class Assessment {
 public:
  /// Whether the config asks for anything. `has_heldout`: whether there are held-out images.
  static bool is_wanted(const core::config::RunConfig& config, bool has_heldout) {
    return (config.training().evaluate_every() > 0 && has_heldout) || config.training().sample_every() > 0;
  }

  /// What the config asks for. `heldout` may be absent: then nothing is evaluated, which is said. Throws InputError
  /// where the network is told classes and the two sets number others.
  Assessment(const core::config::RunConfig& config, Communicator& communicator, const Parameters& parameters,
             const Mirrored& ema, const std::shared_ptr<kernels::Device>& device, const core::data::Dataset& training,
             const core::data::Dataset* heldout);

  /// Of the weights after `step` steps.
  void evaluate(std::int64_t step, Metrics* metrics);
  /// Early networks may be too rough for a sampler: then it says so, and draws nothing.
  void sample(std::int64_t step, Metrics* metrics);
  /// The curve, and the table of the held-out bounds.
  void conclude() const;

 private:
  void gather_ema();
  bool leads() const { return communicator_.rank() == 0; }

  const core::config::RunConfig& config_;
  Communicator& communicator_;
  const Parameters& parameters_;
  const Mirrored& own_ema_;
  std::optional<Evaluator> evaluator_;  // of the held-out images
  std::optional<double> entropy_;       // of their source
  std::optional<Floats> ema_;           // of all ranks, where something is asked for
  std::optional<Mirrored> mirrored_ema_;
  std::unique_ptr<core::objective::ScoreNetwork> network_;  // that reads ema_
};

}  // namespace distributed
