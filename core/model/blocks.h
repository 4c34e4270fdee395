// The blocks that the UNet is made of, as records.
#pragma once

#include "core/model/layers.h"

namespace core::model {

enum class Direction : std::uint8_t { same, down, up };

/// Records blocks in the order of the forward pass, naming parameters after the place that was entered last.
class Blocks {
 public:
  Blocks(Program& program, const UNetSpec& spec, const DropoutKeys* keys)
      : layers_(program, spec), spec_(spec), keys_(keys) {}

  /// Parameters from here on are called `place`.NAME, and belong to the reference's next module.
  void enter(std::string place) { layers_.enter(std::move(place)); }

  /// silu(dense(silu(dense(embedding of the time, and mirrored))) + embedding of the label) : [n] -> [n, 4 channels].
  /// Two modules, or three with a Fourier embedding.
  Tensor time_embedding(const UNetInput& input);
  /// The image as the network works on it, in [-1, 1].
  Tensor image(const Tensor& x);
  Feature input(const Tensor& x);
  /// y = scale * (shortcut + conv(dropout(silu(norm(conv(resample(silu(norm(x)))) + dense(time)))))), x = concat(a, b);
  /// with TimeInput::modulate the second norm is modulated by dense(time) instead. The shortcut is x resampled, through
  /// a 1x1 convolution where the channels change or the image does.
  Feature residual(const Feature& a, const Feature* b, const Tensor& time, std::int64_t channels, Direction direction);
  /// Half or double the image: by a residual block or by a convolution, as the spec says.
  Feature resample(const Feature& x, const Tensor& time, Direction direction);
  /// y = scale * (x + out(attention(qkv(norm(x))))).
  Feature attention(const Feature& x);

  /// Halves the pyramid and joins it with the features of its size: one module. Returns what goes on.
  Feature join_input_pyramid(Tensor& pyramid, const Feature& h);
  /// Doubles the pyramid, if there is one, and adds to it; two modules, or one for a residual pyramid that there is.
  /// Returns what goes on.
  Feature join_output_pyramid(Tensor& pyramid, const Feature& h);
  /// conv(silu(norm(x))), and the image where the spec adds it. Two modules.
  Tensor output(const Feature& x, const Tensor& image);
  /// The output as score times s(t), whatever the last convolution gives.
  Tensor scaled(const Tensor& output, const Tensor& label);

  std::vector<ReferenceParameter> reference() { return layers_.reference(); }

 private:
  /// conv(silu(norm(x))) + residual.
  Feature normed_conv(const Feature& x, std::int64_t channels, float scale, const Tensor& residual, Moments moments);
  /// A convolution that resamples; y = scale * (conv(x) + residual).
  Feature resampling_conv(const Tensor& x, std::int64_t channels, Direction direction, const Tensor& residual,
                          float scale);
  Tensor shortcut(const Feature& a, const Feature* b, std::int64_t channels, kernels::Resample resample);

  Layers layers_;
  const UNetSpec& spec_;
  const DropoutKeys* keys_;
  std::uint32_t dropout_site_ = 0;
};

}  // namespace core::model
