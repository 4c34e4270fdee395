// A trained network as a score: what likelihoods and samplers are computed with.
#pragma once

#include <memory>
#include <span>

#include "core/likelihood/score.h"
#include "core/model/unet.h"
#include "core/program/executor.h"
#include "core/program/storage.h"
#include "kernels/sde.h"

namespace core::objective {

/// Holds the network's program for evaluation (no dropout) and, made at the first call that needs it, the one with
/// v^T (d score/dx) v. Double precision outside, float32 inside. A label is a class, or null_label(); a network without
/// classes is given none.
class ScoreNetwork {
 public:
  /// `batch` images per call; activations are stored as told.
  ScoreNetwork(const model::UNetSpec& spec, const kernels::Sde& sde, std::int64_t batch,
               std::shared_ptr<kernels::Device> device, program::Storage storage = program::Storage::f32);
  ~ScoreNetwork();

  /// The network always runs on this many images, the last run of a call filled up: matrix kernels round differently
  /// for different sizes, and so an image's score has the same bits in whatever company it is evaluated.
  std::int64_t images_per_run() const { return device_->images_together(); }

  /// The parameters, in their order; weights in the device's memory are bound for each, and read at every call.
  std::span<const program::Parameter> parameters() const;
  void bind(std::size_t parameter, std::span<float> weights);

  /// Calls this network, which must outlive it. A network with classes gives every image the score without class:
  /// throws InputError where it has not learned that.
  likelihood::Score score();
  /// The score given this class, or null_label(), for every image.
  likelihood::Score score(std::int64_t label);
  /// score[n,dims] at t[n] and x[n,dims] for any number of images, each given its label[n].
  void evaluate(std::span<const double> t, std::span<const double> x, std::span<const std::int64_t> labels,
                std::span<double> score);

  enum class Calls : std::uint8_t { value, with_trace };
  struct Inside {
    const program::Program& program;
    program::Executor& executor;
  };
  /// What such calls run on images_per_run() images, for measurements.
  Inside inside(Calls calls);

  std::int64_t classes() const { return spec_.classes; }
  /// The label that stands for no class. Throws InputError where the network was trained without.
  std::int64_t null_label() const;

 private:
  struct Evaluation;  // a program, its executor and its ends
  Evaluation& value();
  Evaluation& with_trace();
  void make_executor(Evaluation& evaluation);
  /// Calls run(first image, number of images) for each part of a call on n images.
  template <typename Run>
  void for_each_run(std::size_t n, const Run& run) const;
  /// On up to images_per_run() images; `labels` is empty where there are no classes.
  void run(Evaluation& evaluation, std::span<const double> t, std::span<const double> x,
           std::span<const std::int64_t> labels, std::span<const double> probe, std::span<double> score);
  likelihood::Score labelled(std::vector<std::int64_t> label);
  std::size_t dims() const;

  model::UNetSpec spec_;
  kernels::Sde sde_;
  std::int64_t batch_;
  std::shared_ptr<kernels::Device> device_;
  program::Storage storage_;
  std::vector<std::span<float>> weights_;
  std::unique_ptr<Evaluation> value_, with_trace_;
};

}  // namespace core::objective
