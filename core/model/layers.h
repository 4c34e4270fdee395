// Layers with their parameters, named for us and for the reference implementation: what blocks are made of.
#pragma once

#include "core/model/unet.h"

namespace core::model {

/// An image inside the network, [n,h,w,c], with the moments that the next group norm asks for.
struct Feature {
  Tensor x, moments;
  std::int64_t size() const { return x.shape[1]; }
  std::int64_t channels() const { return x.shape[3]; }
};

/// A convolution's or matrix's parameters.
struct Weights {
  Tensor weight, bias;
};

/// Whether a norm will ask for the moments of a convolution's output.
enum class Moments : std::uint8_t { unused, used };

/// A dense layer of the usual kind, or one without bias whose weights start at almost 0.
enum class Dense : std::uint8_t { biased, unbiased_from_zero };

class Layers {
 public:
  Layers(Program& program, const UNetSpec& spec) : program_(program), spec_(spec) {}

  /// Parameters from here on are called `place`.NAME, and belong to the reference's next module.
  void enter(std::string place);
  /// The same place, the reference's next module.
  void next_module() { ++module_; }
  const std::string& place() const { return place_; }
  /// The reference's name of a tensor in this module.
  std::string module(const std::string& name) const;

  Tensor activation(const std::string& what, kernels::Shape shape) {
    return program_.tensor(place_ + "." + what, shape);
  }
  Tensor parameter(const std::string& name, kernels::Shape shape, program::Initialiser initialiser,
                   ReferenceParameter reference, program::Training training = program::Training::learned);
  /// Uniform with variance scaling (fan average); scale 0 starts at almost 0.
  Weights conv_weights(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t size, float scale,
                       const std::string& reference);
  /// A 1x1 convolution that is one or several matrices W[c,k] of the reference ("NIN_0"), stacked.
  Weights matrix_weights(const std::string& name, std::int64_t in, std::int64_t out, float scale,
                         const std::vector<std::string>& references);

  /// Group norm of a, or of a and b concatenated, for the convolution that applies it; modulation[n,2c] is optional.
  kernels::Prologue norm(const std::string& name, const Feature& a, const Feature* b, const std::string& reference,
                         const Tensor& modulation = {});
  /// Records the convolution; its weights and outputs are filled in.
  Feature conv(const std::string& name, const Weights& weights, kernels::Conv record, Moments moments = Moments::used);
  Tensor dense(const std::string& name, const Tensor& x, std::int64_t out, const std::string& reference,
               Dense kind = Dense::biased);
  Tensor silu(const Tensor& x);
  Tensor resize(const std::string& name, const Tensor& x, kernels::Resample resample);
  /// Along the channels.
  Feature concatenate(const std::string& name, const Feature& a, const Feature& b);

  Program& program() { return program_; }
  std::vector<ReferenceParameter> reference() { return std::move(reference_); }

 private:
  Program& program_;
  const UNetSpec& spec_;
  std::string place_;
  int module_ = -1;
  std::vector<ReferenceParameter> reference_;
};

}  // namespace core::model
