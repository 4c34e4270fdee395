#include "core/program/tape.h"

namespace core::program {

Tensor Tape::gradient(const Tensor& tensor) const {
  const auto found = gradients_.find(source(tensor).id);
  return found == gradients_.end() ? Tensor() : found->second;
}

Contribution Tape::contribute(const Tensor& tensor) {
  if (!wants(tensor)) return {};
  const Tensor original = source(tensor);
  if (const Tensor known = gradient(original)) return {known, kernels::Mode::accumulate};
  const TensorInfo info = program_.info(original);
  const bool parameter = info.role == Role::parameter;
  const Tensor made =
      program_.tensor("gradient of " + info.name, original.shape, parameter ? Role::gradient : Role::activation);
  gradients_[original.id] = made;
  return {made, parameter ? parameter_mode_ : kernels::Mode::overwrite};
}

void Tape::adopt(const Tensor& tensor, const Tensor& contribution) {
  if (!wants(tensor)) return;
  if (!gradient(tensor) && program_.info(source(tensor)).role != Role::parameter) {
    gradients_[source(tensor).id] = contribution;
    return;
  }
  const Contribution place = contribute(tensor);
  record(kernels::AddScaled{.x = contribution, .y = place.tensor, .mode = place.mode});
}

void Tape::replace(const Tensor& original, const Tensor& copy) {
  originals_[copy.id] = original;
}

Tensor Tape::source(const Tensor& tensor) const {
  const auto found = originals_.find(tensor.id);
  return found == originals_.end() ? tensor : found->second;
}

const kernels::NormCoefficients& Tape::norm_of(const Tensor& coefficients) const {
  return norms_.at(coefficients.id);
}

}  // namespace core::program
