// The blocks that the UNet is made of, as records.
#pragma once

#include "core/model/unet.h"

namespace core::model {

/// An image inside the network, [n,h,w,c], with the moments that the next group norm asks for.
struct Feature {
  Tensor x, moments;
  std::int64_t size() const { return x.shape[1]; }
  std::int64_t channels() const { return x.shape[3]; }
};

using kernels::Resample;

/// Records blocks in the order of the forward pass, naming parameters after the place that was entered last.
class Blocks {
 public:
  Blocks(Program& program, const UNetSpec& spec, const DropoutKeys* keys)
      : program_(program), spec_(spec), keys_(keys) {}

  /// Parameters from here on are called `place`.NAME, and belong to the reference's next module.
  void enter(std::string place);

  /// silu(dense(silu(dense(positional embedding)))) : [n] -> [n, 4 channels]. Two modules.
  Tensor time_embedding(const Tensor& label);
  Feature input(const Tensor& x);
  /// y = scale * (shortcut + conv(dropout(silu(norm(conv(resample(silu(norm(x)))) + dense(time)))))), x = concat(a, b);
  /// the shortcut is x resampled, through a 1x1 convolution where the channels change or the image does.
  Feature residual(const Feature& a, const Feature* b, const Tensor& time, std::int64_t channels, Resample resample);
  /// y = scale * (x + out(attention(qkv(norm(x))))).
  Feature attention(const Feature& x);
  /// conv(silu(norm(x))). Two modules.
  Tensor output(const Feature& x);

  std::vector<ReferenceParameter> reference() { return std::move(reference_); }

 private:
  struct Weights {
    Tensor weight, bias;
  };
  /// A convolution's or matrix's parameters, uniform with variance scaling (fan average); scale 0 starts at almost 0.
  Weights conv_weights(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t size, float scale,
                       const std::string& reference);
  Weights dense_weights(const std::string& name, std::int64_t in, std::int64_t out, const std::string& reference);
  kernels::Prologue norm(const std::string& name, const Feature& a, const Feature* b, const std::string& reference);
  Tensor activation(const std::string& what, kernels::Shape shape) {
    return program_.tensor(place_ + "." + what, shape);
  }
  Tensor dense(const std::string& name, const Tensor& x, std::int64_t out, const std::string& reference);
  Tensor silu(const Tensor& x);
  /// The output of a convolution and the moments that a norm will ask for.
  Feature conv_output(const std::string& name, const Tensor& x, std::int64_t channels, Resample resample);
  Tensor parameter(const std::string& name, kernels::Shape shape, program::Initialiser initialiser,
                   ReferenceParameter reference);
  std::string module(const std::string& name) const;

  Program& program_;
  const UNetSpec& spec_;
  const DropoutKeys* keys_;
  std::string place_;
  int module_ = -1;
  std::uint32_t dropout_site_ = 0;
  std::vector<ReferenceParameter> reference_;
};

}  // namespace core::model
