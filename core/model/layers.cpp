#include "core/model/layers.h"

#include <algorithm>
#include <cmath>

namespace core::model {
namespace {

using kernels::Resample;
using program::Initialiser;

/// Variance scaling, fan average, uniform (Glorot and Bengio 2010): the limit for `scale`; 0 means 1e-10, as in the
/// reference.
Initialiser variance_scaling(float scale, std::int64_t fan_in, std::int64_t fan_out) {
  const double variance = std::max(static_cast<double>(scale), 1e-10) / (static_cast<double>(fan_in + fan_out) / 2);
  return {.centre = 0, .limit = static_cast<float>(std::sqrt(3 * variance))};
}

/// Extent of a convolution's output.
std::int64_t resampled(std::int64_t size, Resample resample) {
  switch (resample) {
    case Resample::none:
      return size;
    case Resample::up:
    case Resample::fir_up:
    case Resample::fir_transpose:
      return 2 * size;
    default:
      return size / 2;
  }
}

}  // namespace

void Layers::enter(std::string place) {
  place_ = std::move(place);
  ++module_;
}

std::string Layers::module(const std::string& name) const {
  return fmt::format("all_modules.{}{}{}", module_, name.empty() ? "" : ".", name);
}

Tensor Layers::parameter(const std::string& name, kernels::Shape shape, Initialiser initialiser,
                         ReferenceParameter reference, program::Training training) {
  reference_.push_back(std::move(reference));
  return program_.parameter(place_ + "." + name, shape, initialiser, training);
}

Weights Layers::conv_weights(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t size, float scale,
                             const std::string& reference) {
  const Initialiser start = variance_scaling(scale, in * size * size, out * size * size);
  const Tensor weight = parameter(name + ".weight", {out, size, size, in}, start,
                                  {{module(reference) + ".weight"}, ReferenceLayout::oihw});
  return {weight, parameter(name + ".bias", {out}, {}, {{module(reference) + ".bias"}, ReferenceLayout::same})};
}

Weights Layers::matrix_weights(const std::string& name, std::int64_t in, std::int64_t out, float scale,
                               const std::vector<std::string>& references) {
  ReferenceParameter matrices{{}, ReferenceLayout::in_out}, biases{{}, ReferenceLayout::same};
  for (const std::string& reference : references) {
    matrices.names.push_back(module(reference) + ".W");
    biases.names.push_back(module(reference) + ".b");
  }
  const Initialiser start = variance_scaling(scale, in, out / std::ssize(references));
  const Tensor weight = parameter(name + ".weight", {out, 1, 1, in}, start, matrices);
  return {weight, parameter(name + ".bias", {out}, {}, biases)};
}

kernels::Prologue Layers::norm(const std::string& name, const Feature& a, const Feature* b,
                               const std::string& reference, const Tensor& modulation) {
  const std::int64_t n = a.x.shape[0], c = a.channels() + (b ? b->channels() : 0);
  const std::int64_t groups = std::min<std::int64_t>(c / spec_.group_channels, 32);
  kernels::require(
      c % groups == 0,
      "model: {} channels at {} cannot be normalised in {} groups; use other model.channels or channel_multipliers", c,
      place_, groups);
  const Tensor gamma =
      parameter(name + ".gamma", {c}, {.centre = 1},
                {{module(reference.empty() ? "weight" : reference + ".weight")}, ReferenceLayout::same});
  const Tensor beta = parameter(name + ".beta", {c}, {},
                                {{module(reference.empty() ? "bias" : reference + ".bias")}, ReferenceLayout::same});
  const Tensor coefficients = activation(name + ".coefficients", {n, c, 2}),
               statistics = activation(name + ".statistics", {n, groups, 2});
  program_.record(kernels::NormCoefficients{.moments0 = a.moments,
                                            .moments1 = b ? b->moments : Tensor(),
                                            .gamma = gamma,
                                            .beta = beta,
                                            .modulation = modulation,
                                            .coefficients = coefficients,
                                            .statistics = statistics});
  return {.coefficients = coefficients, .statistics = statistics};
}

Feature Layers::conv(const std::string& name, const Weights& weights, kernels::Conv record, Moments moments) {
  const std::int64_t n = record.x0.shape[0], channels = weights.weight.shape[0];
  const Resample resample = record.prologue.resample;
  record.weight = weights.weight;
  record.bias = weights.bias;
  record.y =
      activation(name, {n, resampled(record.x0.shape[1], resample), resampled(record.x0.shape[2], resample), channels});
  if (moments == Moments::used) record.moments = activation(name + ".moments", {n, channels, 2});
  program_.record(record);
  return {record.y, record.moments};
}

Tensor Layers::dense(const std::string& name, const Tensor& x, std::int64_t out, const std::string& reference,
                     Dense kind) {
  const std::int64_t in = x.shape[1];
  const bool biased = kind == Dense::biased;
  const Tensor weight = parameter(name + ".weight", {out, in}, variance_scaling(biased ? 1 : 0, in, out),
                                  {{module(reference) + ".weight"}, ReferenceLayout::same});
  Tensor bias;
  if (biased) bias = parameter(name + ".bias", {out}, {}, {{module(reference) + ".bias"}, ReferenceLayout::same});
  const Tensor y = activation(name, {x.shape[0], out});
  program_.record(kernels::Linear{.x = x, .weight = weight, .bias = bias, .y = y});
  return y;
}

Tensor Layers::silu(const Tensor& x) {
  const Tensor y = activation("silu", x.shape);
  program_.record(kernels::Silu{.x = x, .y = y});
  return y;
}

Tensor Layers::resize(const std::string& name, const Tensor& x, Resample resample) {
  const Tensor y =
      activation(name, {x.shape[0], resampled(x.shape[1], resample), resampled(x.shape[2], resample), x.shape[3]});
  program_.record(kernels::Resize{.x = x, .resample = resample, .y = y});
  return y;
}

Feature Layers::concatenate(const std::string& name, const Feature& a, const Feature& b) {
  const kernels::Shape& s = a.x.shape;
  const std::int64_t channels = a.channels() + b.channels();
  const Feature y{activation(name, {s[0], s[1], s[2], channels}), activation(name + ".moments", {s[0], channels, 2})};
  program_.record(kernels::Concatenate{.x0 = a.x, .x1 = b.x, .axis = 3, .y = y.x});
  program_.record(kernels::Concatenate{.x0 = a.moments, .x1 = b.moments, .axis = 1, .y = y.moments});
  return y;
}

}  // namespace core::model
