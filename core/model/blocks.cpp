#include "core/model/blocks.h"

namespace core::model {
namespace {

using kernels::Activation;
using kernels::Prologue;
using kernels::Resample;

/// How an image is resampled before an operation.
Resample resample_of(Direction direction, Filter filter) {
  const bool fir = filter == Filter::fir;
  switch (direction) {
    case Direction::same:
      return Resample::none;
    case Direction::down:
      return fir ? Resample::fir_down : Resample::down;
    case Direction::up:
      return fir ? Resample::fir_up : Resample::up;
  }
  return Resample::none;
}

/// How a 3x3 convolution resamples by its own steps.
Resample conv_resample_of(Direction direction, Filter filter) {
  const bool fir = filter == Filter::fir;
  if (direction == Direction::down) return fir ? Resample::fir_stride : Resample::stride;
  return fir ? Resample::fir_transpose : Resample::up;
}

Prologue with_silu(Prologue norm) {
  norm.activation = Activation::silu;
  return norm;
}

}  // namespace

Tensor Blocks::time_embedding(const UNetInput& input) {
  const Tensor& label = input.time;
  const std::int64_t n = label.shape[0], c = spec_.channels;
  Program& program = layers_.program();
  Tensor embedding;
  if (spec_.embedding == Embedding::fourier) {
    enter("time.fourier");
    const Tensor frequencies =
        layers_.parameter("frequencies", {c}, {.deviation = spec_.fourier_scale},
                          {{layers_.module("W")}, ReferenceLayout::same}, program::Training::frozen);
    embedding = layers_.activation("embedding", {n, 2 * c});
    program.record(kernels::FourierEmbedding{.label = label, .frequencies = frequencies, .y = embedding});
    enter("time.0");
  } else {
    enter("time.0");
    embedding = layers_.activation("positional", {n, c});
    program.record(kernels::TimeEmbedding{.label = label, .y = embedding});
  }
  if (spec_.told_mirrored) {
    const Tensor both = layers_.activation("told", {n, embedding.shape[1] + 1});
    program.record(kernels::Concatenate{.x0 = embedding, .x1 = input.mirrored, .axis = 1, .y = both});
    embedding = both;
  }
  const Tensor hidden = layers_.silu(layers_.dense("dense", embedding, 4 * c, ""));
  enter("time.1");
  Tensor time = layers_.dense("dense", hidden, 4 * c, "");
  if (input.labels) {
    // Uniform with the variance of the dense layer's output at the start, about 1/2.
    const Tensor table = layers_.parameter("labels", {spec_.labels(), 4 * c}, {.limit = 1},
                                           {{"label_embedding.weight"}, ReferenceLayout::same});
    const Tensor told = layers_.activation("told", time.shape);
    program.record(kernels::LabelEmbedding{.x = time, .labels = input.labels, .table = table, .y = told});
    time = told;
  }
  return layers_.silu(time);
}

Tensor Blocks::image(const Tensor& x) {
  if (!spec_.unit_range) return x;
  const Tensor y = layers_.activation("centred", x.shape);
  layers_.program().record(kernels::Affine{.x = x, .scale = 2, .shift = -1, .y = y});
  return y;
}

Feature Blocks::input(const Tensor& x) {
  enter("input");
  const std::int64_t c = x.shape[3] * (1 + 2 * spec_.fourier_features);
  Tensor features = x;
  if (spec_.fourier_features > 0) {
    features = layers_.activation("features", {x.shape[0], x.shape[1], x.shape[2], c});
    layers_.program().record(kernels::FourierFeatures{
        .x = x, .first = spec_.first_fourier_exponent, .count = spec_.fourier_features, .y = features});
  }
  return layers_.conv("conv", layers_.conv_weights("conv", c, spec_.channels, 3, 1, ""), {.x0 = features});
}

Tensor Blocks::shortcut(const Feature& a, const Feature* b, std::int64_t channels, Resample resample) {
  const std::int64_t in = a.channels() + (b ? b->channels() : 0);
  const bool resampled = resample != Resample::none;
  if (in != channels || (resampled && spec_.resampled_shortcut_conv)) {
    const Weights w = spec_.block == Block::ddpm ? layers_.matrix_weights("shortcut", in, channels, 0.1f, {"NIN_0"})
                                                 : layers_.conv_weights("shortcut", in, channels, 1, 1, "Conv_2");
    const Tensor second = b ? b->x : Tensor();
    // A 1x1 convolution of repeated pixels is the repeated convolution, at a quarter of the cost.
    const bool repeats = resample == Resample::up;
    const Prologue before{.resample = repeats ? Resample::none : resample};
    const Tensor y = layers_.conv("shortcut", w, {.x0 = a.x, .x1 = second, .prologue = before}, Moments::unused).x;
    return repeats ? layers_.resize("shortcut.doubled", y, resample) : y;
  }
  kernels::require(!b,
                   "model: at {} the skip connection brings the channels to just the {} of the block's output; use "
                   "other channel_multipliers",
                   layers_.place(), channels);
  return resampled ? layers_.resize("shortcut", a.x, resample) : a.x;
}

Feature Blocks::residual(const Feature& a, const Feature* b, const Tensor& time, std::int64_t channels,
                         Direction direction) {
  const std::int64_t in = a.channels() + (b ? b->channels() : 0);
  const Resample resample = resample_of(direction, spec_.filter);
  const bool modulates = spec_.time_input == TimeInput::modulate;

  // h = conv(resample(silu(norm(x)))) + dense(time)
  Prologue first = with_silu(layers_.norm("norm0", a, b, "GroupNorm_0"));
  first.resample = resample;
  const Weights w0 = layers_.conv_weights("conv0", in, channels, 3, 1, "Conv_0");
  const Tensor told = layers_.dense("time", time, modulates ? 2 * channels : channels, "Dense_0",
                                    spec_.time_bias ? Dense::biased : Dense::unbiased_from_zero);
  const Feature h = layers_.conv(
      "conv0", w0, {.x0 = a.x, .x1 = b ? b->x : Tensor(), .embedding = modulates ? Tensor() : told, .prologue = first});

  const Tensor around = shortcut(a, b, channels, resample);

  // y = scale * (shortcut + conv(dropout(silu(norm(h)))))
  Prologue last = with_silu(layers_.norm("norm1", h, nullptr, "GroupNorm_1", modulates ? told : Tensor()));
  const std::uint32_t site = dropout_site_++;
  if (keys_ && spec_.dropout > 0) {
    last.dropout = {.rate = spec_.dropout, .seed = keys_->seed, .site = site};
    last.positions = keys_->positions;
  }
  const Weights w1 = layers_.conv_weights("conv1", channels, channels, 3, 0, "Conv_1");
  return layers_.conv("conv1", w1, {.x0 = h.x, .residual = around, .prologue = last, .scale = spec_.residual_scale});
}

Feature Blocks::resampling_conv(const Tensor& x, std::int64_t channels, Direction direction, const Tensor& residual,
                                float scale) {
  const Weights w =
      layers_.conv_weights("conv", x.shape[3], channels, 3, 1, spec_.filter == Filter::fir ? "Conv2d_0" : "Conv_0");
  return layers_.conv("conv", w,
                      {.x0 = x,
                       .residual = residual,
                       .prologue = {.resample = conv_resample_of(direction, spec_.filter)},
                       .scale = scale});
}

Feature Blocks::resample(const Feature& x, const Tensor& time, Direction direction) {
  return spec_.block == Block::biggan ? residual(x, nullptr, time, x.channels(), direction)
                                      : resampling_conv(x.x, x.channels(), direction, {}, 1);
}

Feature Blocks::attention(const Feature& x) {
  const std::int64_t n = x.x.shape[0], size = x.size(), c = x.channels();
  const int heads = spec_.head_channels > 0 ? static_cast<int>(c / spec_.head_channels) : 1;
  kernels::require(spec_.head_channels == 0 || c % spec_.head_channels == 0,
                   "model: {} channels at {} are not made of attention heads of {}; use another model.head_channels", c,
                   layers_.place(), spec_.head_channels);
  const Prologue normed = layers_.norm("norm", x, nullptr, "GroupNorm_0");

  // Query, key and value are the reference's NIN_0, NIN_1 and NIN_2: [c,c] each, stacked to one matrix.
  const Weights w = layers_.matrix_weights("qkv", c, 3 * c, 0.1f, {"NIN_0", "NIN_1", "NIN_2"});
  const Tensor qkv = layers_.conv("qkv", w, {.x0 = x.x, .prologue = normed}, Moments::unused).x;
  const Tensor attended = layers_.activation("attention", x.x.shape),
               logsumexp = layers_.activation("logsumexp", {n, heads, size * size});
  layers_.program().record(kernels::Attention{.qkv = qkv, .heads = heads, .y = attended, .logsumexp = logsumexp});
  return layers_.conv("out", layers_.matrix_weights("out", c, c, 0, {"NIN_3"}),
                      {.x0 = attended, .residual = x.x, .scale = spec_.residual_scale});
}

Feature Blocks::normed_conv(const Feature& x, std::int64_t channels, float scale, const Tensor& residual,
                            Moments moments) {
  const Prologue normed = with_silu(layers_.norm("norm", x, nullptr, ""));
  layers_.next_module();
  const Weights w = layers_.conv_weights("conv", x.channels(), channels, 3, scale, "");
  return layers_.conv("conv", w, {.x0 = x.x, .residual = residual, .prologue = normed}, moments);
}

Feature Blocks::join_input_pyramid(Tensor& pyramid, const Feature& h) {
  if (spec_.input_pyramid == Pyramid::residual) {
    const Feature y = resampling_conv(pyramid, h.channels(), Direction::down, h.x, spec_.residual_scale);
    pyramid = y.x;
    return y;
  }
  pyramid = layers_.resize("half", pyramid, resample_of(Direction::down, spec_.filter));
  const Weights w = layers_.conv_weights("conv", pyramid.shape[3], h.channels(), 1, 1, "Conv_0");
  if (spec_.combine == Combine::sum) return layers_.conv("conv", w, {.x0 = pyramid, .residual = h.x});
  return layers_.concatenate("joined", layers_.conv("conv", w, {.x0 = pyramid}), h);
}

Feature Blocks::join_output_pyramid(Tensor& pyramid, const Feature& h) {
  if (spec_.output_pyramid == Pyramid::skip) {
    const Tensor larger =
        pyramid ? layers_.resize("double", pyramid, resample_of(Direction::up, spec_.filter)) : Tensor();
    pyramid = normed_conv(h, spec_.image_channels, 0, larger, Moments::unused).x;
    return h;
  }
  if (!pyramid) {
    pyramid = normed_conv(h, h.channels(), 1, {}, Moments::unused).x;
    return h;
  }
  const Feature y = resampling_conv(pyramid, h.channels(), Direction::up, h.x, spec_.residual_scale);
  pyramid = y.x;
  return y;
}

Tensor Blocks::output(const Feature& x, const Tensor& image) {
  enter("output");
  return normed_conv(x, spec_.image_channels, 0, spec_.adds_input ? image : Tensor(), Moments::unused).x;
}

Tensor Blocks::scaled(const Tensor& output, const Tensor& label) {
  if (spec_.prediction != Prediction::score) return output;
  const Tensor y = layers_.activation("scaled", output.shape);
  layers_.program().record(kernels::ScaleImages{.x = output, .factor = label, .y = y});
  return y;
}

}  // namespace core::model
