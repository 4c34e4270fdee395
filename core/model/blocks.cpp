#include "core/model/blocks.h"

#include <algorithm>
#include <cmath>

namespace core::model {
namespace {

using kernels::Activation;
using kernels::Conv;
using program::Initialiser;

/// Variance scaling, fan average, uniform (Glorot and Bengio 2010): the limit for `scale`; 0 means 1e-10, as in the
/// reference.
Initialiser variance_scaling(float scale, std::int64_t fan_in, std::int64_t fan_out) {
  const double variance = std::max(static_cast<double>(scale), 1e-10) / (static_cast<double>(fan_in + fan_out) / 2);
  return {.centre = 0, .limit = static_cast<float>(std::sqrt(3 * variance))};
}

std::int64_t resampled(std::int64_t size, Resample resample) {
  return resample == Resample::up ? 2 * size : resample == Resample::down ? size / 2 : size;
}

}  // namespace

void Blocks::enter(std::string place) {
  place_ = std::move(place);
  ++module_;
}

std::string Blocks::module(const std::string& name) const {
  return fmt::format("all_modules.{}{}{}", module_, name.empty() ? "" : ".", name);
}

Tensor Blocks::parameter(const std::string& name, kernels::Shape shape, Initialiser initialiser,
                         ReferenceParameter reference) {
  reference_.push_back(std::move(reference));
  return program_.parameter(place_ + "." + name, shape, initialiser);
}

Blocks::Weights Blocks::conv_weights(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t size,
                                     float scale, const std::string& reference) {
  const Initialiser start = variance_scaling(scale, in * size * size, out * size * size);
  const Tensor weight = parameter(name + ".weight", {out, size, size, in}, start,
                                  {{module(reference) + ".weight"}, ReferenceLayout::oihw});
  return {weight, parameter(name + ".bias", {out}, {}, {{module(reference) + ".bias"}, ReferenceLayout::same})};
}

Blocks::Weights Blocks::dense_weights(const std::string& name, std::int64_t in, std::int64_t out,
                                      const std::string& reference) {
  const Tensor weight = parameter(name + ".weight", {out, in}, variance_scaling(1, in, out),
                                  {{module(reference) + ".weight"}, ReferenceLayout::same});
  return {weight, parameter(name + ".bias", {out}, {}, {{module(reference) + ".bias"}, ReferenceLayout::same})};
}

Tensor Blocks::dense(const std::string& name, const Tensor& x, std::int64_t out, const std::string& reference) {
  const Weights w = dense_weights(name, x.shape[1], out, reference);
  const Tensor y = activation(name, {x.shape[0], out});
  program_.record(kernels::Linear{.x = x, .weight = w.weight, .bias = w.bias, .y = y});
  return y;
}

Tensor Blocks::silu(const Tensor& x) {
  const Tensor y = activation("silu", x.shape);
  program_.record(kernels::Silu{.x = x, .y = y});
  return y;
}

kernels::Prologue Blocks::norm(const std::string& name, const Feature& a, const Feature* b,
                               const std::string& reference) {
  const std::int64_t n = a.x.shape[0], c = a.channels() + (b ? b->channels() : 0);
  const std::int64_t groups = std::min<std::int64_t>(c / 4, 32);
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
                                            .coefficients = coefficients,
                                            .statistics = statistics});
  return {.coefficients = coefficients, .statistics = statistics};
}

Feature Blocks::conv_output(const std::string& name, const Tensor& x, std::int64_t channels, Resample resample) {
  const std::int64_t n = x.shape[0], h = resampled(x.shape[1], resample), w = resampled(x.shape[2], resample);
  return {activation(name, {n, h, w, channels}), activation(name + ".moments", {n, channels, 2})};
}

Tensor Blocks::time_embedding(const Tensor& label) {
  const std::int64_t n = label.shape[0], c = spec_.channels;
  enter("time.0");
  const Tensor embedding = activation("positional", {n, c});
  program_.record(kernels::TimeEmbedding{.label = label, .y = embedding});
  const Tensor hidden = silu(dense("dense", embedding, 4 * c, ""));
  enter("time.1");
  return silu(dense("dense", hidden, 4 * c, ""));
}

Feature Blocks::input(const Tensor& x) {
  enter("input");
  const Weights w = conv_weights("conv", x.shape[3], spec_.channels, 3, 1, "");
  const Feature y = conv_output("conv", x, spec_.channels, Resample::none);
  program_.record(Conv{.x0 = x, .weight = w.weight, .bias = w.bias, .y = y.x, .moments = y.moments});
  return y;
}

Feature Blocks::residual(const Feature& a, const Feature* b, const Tensor& time, std::int64_t channels,
                         Resample resample) {
  const std::int64_t in = a.channels() + (b ? b->channels() : 0);
  const Tensor second = b ? b->x : Tensor();

  // h = conv(resample(silu(norm(x)))) + dense(time)
  kernels::Prologue first = norm("norm0", a, b, "GroupNorm_0");
  first.activation = Activation::silu;
  first.resample = resample;
  const Weights w0 = conv_weights("conv0", in, channels, 3, 1, "Conv_0");
  const Tensor embedding = dense("time", time, channels, "Dense_0");
  const Feature h = conv_output("conv0", a.x, channels, resample);
  program_.record(Conv{.x0 = a.x,
                       .x1 = second,
                       .weight = w0.weight,
                       .bias = w0.bias,
                       .embedding = embedding,
                       .prologue = first,
                       .y = h.x,
                       .moments = h.moments});

  // The shortcut: x itself, or resampled and through a 1x1 convolution.
  Tensor shortcut = a.x;
  if (in != channels || resample != Resample::none) {
    const Weights w = conv_weights("shortcut", in, channels, 1, 1, "Conv_2");
    shortcut = activation("shortcut", h.x.shape);
    program_.record(Conv{.x0 = a.x,
                         .x1 = second,
                         .weight = w.weight,
                         .bias = w.bias,
                         .prologue = {.resample = resample},
                         .y = shortcut});
  } else {
    kernels::require(!b,
                     "model: at {} the skip connection brings the channels to just the {} of the block's output; use "
                     "other channel_multipliers",
                     place_, channels);
  }

  // y = scale * (shortcut + conv(dropout(silu(norm(h)))))
  kernels::Prologue last = norm("norm1", h, nullptr, "GroupNorm_1");
  last.activation = Activation::silu;
  const std::uint32_t site = dropout_site_++;
  if (keys_ && spec_.dropout > 0) {
    last.dropout = {.rate = spec_.dropout, .seed = keys_->seed, .site = site};
    last.positions = keys_->positions;
  }
  const Weights w1 = conv_weights("conv1", channels, channels, 3, 0, "Conv_1");
  const Feature y = conv_output("conv1", h.x, channels, Resample::none);
  program_.record(Conv{.x0 = h.x,
                       .weight = w1.weight,
                       .bias = w1.bias,
                       .residual = shortcut,
                       .prologue = last,
                       .scale = spec_.residual_scale,
                       .y = y.x,
                       .moments = y.moments});
  return y;
}

Feature Blocks::attention(const Feature& x) {
  const std::int64_t n = x.x.shape[0], size = x.size(), c = x.channels();
  const kernels::Prologue normed = norm("norm", x, nullptr, "GroupNorm_0");

  // Query, key and value are the reference's NIN_0, NIN_1 and NIN_2: [c,c] each, stacked to one matrix.
  const Tensor weight = parameter("qkv.weight", {3 * c, 1, 1, c}, variance_scaling(0.1f, c, c),
                                  {{module("NIN_0.W"), module("NIN_1.W"), module("NIN_2.W")}, ReferenceLayout::in_out});
  const Tensor bias = parameter("qkv.bias", {3 * c}, {},
                                {{module("NIN_0.b"), module("NIN_1.b"), module("NIN_2.b")}, ReferenceLayout::same});
  const Tensor qkv = activation("qkv", {n, size, size, 3 * c});
  program_.record(Conv{.x0 = x.x, .weight = weight, .bias = bias, .prologue = normed, .y = qkv});

  const Tensor attended = activation("attention", x.x.shape), logsumexp = activation("logsumexp", {n, 1, size * size});
  program_.record(kernels::Attention{.qkv = qkv, .heads = 1, .y = attended, .logsumexp = logsumexp});

  const Tensor out_weight =
      parameter("out.weight", {c, 1, 1, c}, variance_scaling(0, c, c), {{module("NIN_3.W")}, ReferenceLayout::in_out});
  const Tensor out_bias = parameter("out.bias", {c}, {}, {{module("NIN_3.b")}, ReferenceLayout::same});
  const Feature y = conv_output("out", x.x, c, Resample::none);
  program_.record(Conv{.x0 = attended,
                       .weight = out_weight,
                       .bias = out_bias,
                       .residual = x.x,
                       .scale = spec_.residual_scale,
                       .y = y.x,
                       .moments = y.moments});
  return y;
}

Tensor Blocks::output(const Feature& x) {
  enter("output");
  kernels::Prologue normed = norm("norm", x, nullptr, "");
  normed.activation = Activation::silu;
  ++module_;
  const Weights w = conv_weights("conv", x.channels(), spec_.image_channels, 3, 0, "");
  const Tensor y = activation("conv", {x.x.shape[0], x.size(), x.size(), spec_.image_channels});
  program_.record(Conv{.x0 = x.x, .weight = w.weight, .bias = w.bias, .prologue = normed, .y = y});
  return y;
}

}  // namespace core::model
