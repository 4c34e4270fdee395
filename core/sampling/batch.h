// Images that are drawn together: their states, the score there, and the noise that belongs to each.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "core/sampling/sample.h"
#include "core/sampling/step.h"

namespace core::sampling {

/// x[dims] of the image's start: the prior at draw 0 of (seed, index).
void start(const Settings& settings, std::int64_t index, std::span<double> x);

class Batch {
 public:
  Batch(const Score& score, std::span<const std::int64_t> indices, const Settings& settings);

  std::size_t images() const { return indices_.size(); }
  std::span<double> x() { return x_; }                       // [images,dims]
  std::span<const double> score() const { return score_; }   // of the last evaluation, [images,dims]
  std::int64_t evaluations() const { return evaluations_; }  // of the score, summed over images

  /// The score at (x, t). Throws RunError where it is not finite.
  void evaluate(double t);
  /// The step, with the next draw of each image's noise.
  void apply(const Step& step);
  /// The same, with a step for each image n that is made from its score and its noise.
  using StepOfImage = std::function<Step(std::size_t n, std::span<const double> score, std::span<const double> z)>;
  void apply(const StepOfImage& step);
  /// likelihood::refuse_score for image n of the batch.
  [[noreturn]] void refuse(std::size_t n, double t, std::string_view why) const {
    likelihood::refuse_score(indices_[n], t, why);
  }

 private:
  void move(std::size_t n, const Step& step);

  std::size_t dims_;
  const Score& score_function_;
  std::span<const std::int64_t> indices_;
  const Settings& settings_;
  std::vector<double> x_, score_, z_;
  std::int64_t evaluations_ = 0, draws_ = 0;
};

/// A walk takes a batch from its start to its end and calls `step_done` after each of settings.steps.
using Walk = std::function<void(Batch& batch, const std::function<void()>& step_done)>;
/// Every image, in batches of the score's size.
Samples in_batches(const Score& score, std::span<const std::int64_t> indices, const Settings& settings,
                   const Walk& walk);

}  // namespace core::sampling
