#include "core/objective/score_network.h"

#include <algorithm>

#include "core/program/differentiate.h"

namespace core::objective {

using program::Tensor;

struct ScoreNetwork::Evaluation {
  program::Program program;
  Tensor x, label, output;
  Tensor probe, gradient;  // only with the trace: v and v^T (d output/dx)
  std::unique_ptr<program::Executor> executor;
  std::vector<float> floats;  // of one transfer
};

ScoreNetwork::ScoreNetwork(const model::UNetSpec& spec, const kernels::Sde& sde, std::int64_t batch, int threads)
    : spec_(spec), sde_(sde), batch_(batch), threads_(threads) {
  value_ = std::make_unique<Evaluation>();
  Evaluation& e = *value_;
  e.x = e.program.input("x", {images_per_run, spec.image_size, spec.image_size, spec.image_channels});
  e.label = e.program.input("time label", {images_per_run});
  e.output = model::record_unet(e.program, spec, e.x, e.label, nullptr).output;
  e.program.keep(e.output);
  weights_.resize(e.program.parameters().size());
}

ScoreNetwork::~ScoreNetwork() = default;

std::span<const program::Parameter> ScoreNetwork::parameters() const {
  return value_->program.parameters();
}

void ScoreNetwork::bind(std::size_t parameter, std::span<float> weights) {
  weights_[parameter] = weights;
}

ScoreNetwork::Evaluation& ScoreNetwork::value() {
  Evaluation& e = *value_;
  if (!e.executor) {
    e.executor = program::make_cpu_executor(e.program, {.threads = threads_, .exchange = {}});
    for (std::size_t i = 0; i < weights_.size(); ++i) e.executor->bind(e.program.parameters()[i].tensor, weights_[i]);
  }
  return e;
}

ScoreNetwork::Evaluation& ScoreNetwork::with_trace() {
  if (with_trace_) return *with_trace_;
  with_trace_ = std::make_unique<Evaluation>();
  Evaluation& e = *with_trace_;
  e.program = value_->program;
  e.x = value_->x;
  e.label = value_->label;
  e.output = value_->output;
  e.probe = e.program.input("probe", e.x.shape);
  const program::Seed seeds[] = {{e.output, e.probe}};
  const Tensor wanted[] = {e.x};
  e.gradient = program::differentiate(e.program, seeds, wanted)[0];
  e.program.keep(e.gradient);
  e.executor = program::make_cpu_executor(e.program, {.threads = threads_, .exchange = {}});
  for (std::size_t i = 0; i < weights_.size(); ++i) e.executor->bind(e.program.parameters()[i].tensor, weights_[i]);
  return e;
}

void ScoreNetwork::run(Evaluation& e, std::span<const double> t, std::span<const double> x,
                       std::span<const double> probe, std::span<double> score) {
  const auto upload = [&](const Tensor& tensor, std::span<const double> values) {
    e.floats.assign(static_cast<std::size_t>(tensor.shape.elements()), 0.0f);
    std::transform(values.begin(), values.end(), e.floats.begin(),
                   [](double value) { return static_cast<float>(value); });
    e.executor->upload(tensor, std::span<const float>(e.floats));
  };
  std::vector<double> labels;
  for (double time : t) labels.push_back(kernels::time_label(sde_, time));
  upload(e.x, x);
  upload(e.label, labels);
  if (e.probe) upload(e.probe, probe);
  e.executor->run();
  e.floats.resize(static_cast<std::size_t>(e.output.shape.elements()));
  e.executor->download(e.output, std::span(e.floats));
  const std::size_t dims = x.size() / t.size();
  for (std::size_t n = 0; n < t.size(); ++n) {
    const double scale = kernels::output_sign(sde_) / kernels::standard_deviation(sde_, t[n]);
    for (std::size_t i = n * dims; i < (n + 1) * dims; ++i) score[i] = scale * e.floats[i];
  }
}

likelihood::Score ScoreNetwork::score() {
  const auto dims = static_cast<std::size_t>(spec_.image_size) * static_cast<std::size_t>(spec_.image_size) *
                    static_cast<std::size_t>(spec_.image_channels);
  // Calls run(first image, number of images) for each part of a call on n images.
  const auto for_each_run = [](std::size_t n, auto&& run) {
    for (std::size_t first = 0; first < n; first += images_per_run)
      run(first, std::min<std::size_t>(images_per_run, n - first));
  };
  return {
      .dims = static_cast<std::int64_t>(dims),
      .batch = batch_,
      .value =
          [this, dims, for_each_run](std::span<const double> t, std::span<const double> x, std::span<double> score) {
            for_each_run(t.size(), [&](std::size_t first, std::size_t n) {
              run(value(), t.subspan(first, n), x.subspan(first * dims, n * dims), {},
                  score.subspan(first * dims, n * dims));
            });
          },
      .with_trace =
          [this, dims, for_each_run](std::span<const double> t, std::span<const double> x,
                                     std::span<const double> probe, std::span<double> score, std::span<double> trace) {
            Evaluation& e = with_trace();
            for_each_run(t.size(), [&](std::size_t first, std::size_t n) {
              const auto v = probe.subspan(first * dims, n * dims);
              run(e, t.subspan(first, n), x.subspan(first * dims, n * dims), v, score.subspan(first * dims, n * dims));
              e.executor->download(e.gradient, std::span(e.floats));
              for (std::size_t image = 0; image < n; ++image) {
                double sum = 0;
                for (std::size_t i = image * dims; i < (image + 1) * dims; ++i) sum += v[i] * e.floats[i];
                trace[first + image] =
                    kernels::output_sign(sde_) / kernels::standard_deviation(sde_, t[first + image]) * sum;
              }
            });
          }};
}

}  // namespace core::objective
