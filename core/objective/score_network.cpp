#include "core/objective/score_network.h"

#include <algorithm>

#include "core/program/differentiate.h"

namespace core::objective {

using program::Tensor;

struct ScoreNetwork::Evaluation {
  program::Program program;  // as recorded
  program::Program stored;   // as it runs
  model::UNetInput input;
  Tensor output;
  Tensor probe, gradient;  // only with the trace: v and v^T (d output/dx)
  std::unique_ptr<program::Executor> executor;
  std::vector<float> floats;  // of one transfer
};

ScoreNetwork::ScoreNetwork(const model::UNetSpec& spec, const kernels::Sde& sde, std::int64_t batch,
                           std::shared_ptr<kernels::Device> device, program::Storage storage)
    : spec_(spec), sde_(sde), batch_(batch), device_(std::move(device)), storage_(storage) {
  value_ = std::make_unique<Evaluation>();
  Evaluation& e = *value_;
  e.input = model::unet_input(e.program, spec, images_per_run());
  e.output = model::record_unet(e.program, spec, e.input, nullptr).output;
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
  if (!value_->executor) make_executor(*value_);
  return *value_;
}

void ScoreNetwork::make_executor(Evaluation& e) {
  e.stored = program::stored(e.program, storage_);
  e.executor = std::make_unique<program::Executor>(e.stored, device_);
  for (std::size_t i = 0; i < weights_.size(); ++i) e.executor->bind(e.program.parameters()[i].tensor, weights_[i]);
}

ScoreNetwork::Evaluation& ScoreNetwork::with_trace() {
  if (with_trace_) return *with_trace_;
  with_trace_ = std::make_unique<Evaluation>();
  Evaluation& e = *with_trace_;
  e.program = value_->program;
  e.input = value_->input;
  e.output = value_->output;
  e.probe = e.program.input("probe", e.input.x.shape);
  const program::Seed seeds[] = {{e.output, e.probe}};
  const Tensor wanted[] = {e.input.x};
  e.gradient = program::differentiate(e.program, seeds, wanted)[0];
  e.program.keep(e.gradient);
  make_executor(e);
  return e;
}

ScoreNetwork::Inside ScoreNetwork::inside(Calls calls) {
  Evaluation& e = calls == Calls::value ? value() : with_trace();
  return {e.stored, *e.executor};
}

void ScoreNetwork::run(Evaluation& e, std::span<const double> t, std::span<const double> x,
                       std::span<const std::int64_t> labels, std::span<const double> probe, std::span<double> score) {
  const auto upload = [&](const Tensor& tensor, std::span<const double> values) {
    e.floats.assign(static_cast<std::size_t>(tensor.shape.elements()), 0.0f);
    std::transform(values.begin(), values.end(), e.floats.begin(),
                   [](double value) { return static_cast<float>(value); });
    e.executor->upload(tensor, std::span<const float>(e.floats));
  };
  std::vector<double> times;
  for (double time : t) times.push_back(kernels::time_label(sde_, time));
  upload(e.input.x, x);
  upload(e.input.time, times);
  if (e.input.mirrored) upload(e.input.mirrored, {});  // no image is
  if (e.input.labels) {
    std::vector<std::int64_t> all(labels.begin(), labels.end());
    all.resize(static_cast<std::size_t>(images_per_run()));
    e.executor->upload(e.input.labels, std::span<const std::int64_t>(all));
  }
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

std::size_t ScoreNetwork::dims() const {
  return static_cast<std::size_t>(spec_.image_size) * static_cast<std::size_t>(spec_.image_size) *
         static_cast<std::size_t>(spec_.image_channels);
}

std::int64_t ScoreNetwork::null_label() const {
  kernels::require(spec_.null_label,
                   "the score without class is asked of a network that was not trained for it: name a class, or train "
                   "with model.null_label_probability");
  return spec_.classes;
}

likelihood::Score ScoreNetwork::score() {
  return labelled(spec_.classes > 0 ? std::vector{null_label()} : std::vector<std::int64_t>());
}

likelihood::Score ScoreNetwork::score(std::int64_t label) {
  kernels::require(label >= 0 && label < spec_.labels(), "class {}: the network has classes 0 to {}", label,
                   spec_.classes - 1);
  return labelled({label});
}

template <typename Run>
void ScoreNetwork::for_each_run(std::size_t n, const Run& run) const {
  const auto most = static_cast<std::size_t>(images_per_run());
  for (std::size_t first = 0; first < n; first += most) run(first, std::min(most, n - first));
}

void ScoreNetwork::evaluate(std::span<const double> t, std::span<const double> x, std::span<const std::int64_t> labels,
                            std::span<double> score) {
  kernels::ensure(labels.size() == (spec_.classes > 0 ? t.size() : 0),
                  "each image has a label where there are classes");
  for_each_run(t.size(), [&](std::size_t first, std::size_t n) {
    run(value(), t.subspan(first, n), x.subspan(first * dims(), n * dims()),
        labels.empty() ? labels : labels.subspan(first, n), {}, score.subspan(first * dims(), n * dims()));
  });
}

/// `label` is one for all images, or none.
likelihood::Score ScoreNetwork::labelled(std::vector<std::int64_t> label) {
  const auto labels_of = [label](std::size_t images) {
    return label.empty() ? label : std::vector<std::int64_t>(images, label[0]);
  };
  return {.dims = static_cast<std::int64_t>(dims()),
          .batch = batch_,
          .value = [this, labels_of](std::span<const double> t, std::span<const double> x,
                                     std::span<double> score) { evaluate(t, x, labels_of(t.size()), score); },
          .with_trace =
              [this, labels_of](std::span<const double> t, std::span<const double> x, std::span<const double> probe,
                                std::span<double> score, std::span<double> trace) {
                Evaluation& e = with_trace();
                const std::size_t d = dims();
                for_each_run(t.size(), [&](std::size_t first, std::size_t n) {
                  const auto v = probe.subspan(first * d, n * d);
                  run(e, t.subspan(first, n), x.subspan(first * d, n * d), labels_of(n), v,
                      score.subspan(first * d, n * d));
                  e.executor->download(e.gradient, std::span(e.floats));
                  for (std::size_t image = 0; image < n; ++image) {
                    double sum = 0;
                    for (std::size_t i = image * d; i < (image + 1) * d; ++i) sum += v[i] * e.floats[i];
                    trace[first + image] =
                        kernels::output_sign(sde_) / kernels::standard_deviation(sde_, t[first + image]) * sum;
                  }
                });
              }};
}

}  // namespace core::objective
