// What the reverse of each record is written with: the gradients known so far, and which are wanted.
#pragma once

#include <map>
#include <vector>

#include "core/program/differentiate.h"

namespace core::program {

/// Where a contribution to a gradient goes.
struct Contribution {
  Tensor tensor;  // absent where the gradient is not wanted
  kernels::Mode mode = kernels::Mode::overwrite;
};

class Tape {
 public:
  Tape(Program& program, std::vector<bool> wanted, kernels::Mode parameter_mode)
      : program_(program), wanted_(std::move(wanted)), parameter_mode_(parameter_mode) {}

  /// Whether the result depends on a wanted tensor through this one.
  bool wants(const Tensor& tensor) const { return tensor && wanted_[static_cast<std::size_t>(source(tensor).id)]; }
  /// The finished gradient of a tensor that a record wrote; absent where nothing that follows depended on it.
  Tensor gradient(const Tensor& tensor) const;
  /// Where the next contribution to the tensor's gradient is to be written: the first overwrites, later ones add.
  Contribution contribute(const Tensor& tensor);
  /// A freshly written tensor is the whole contribution: it becomes the gradient itself where it is the first.
  void adopt(const Tensor& tensor, const Tensor& contribution);

  Tensor activation(std::string name, Shape shape) { return program_.tensor(std::move(name), shape); }
  void record(Op op) { program_.record(std::move(op)); }
  const TensorInfo& info(const Tensor& tensor) const { return program_.info(tensor); }

  /// From here on the records of the reverse read `copy`, computed again, where the forward records wrote `original`.
  void replace(const Tensor& original, const Tensor& copy);
  /// The tensor that is a recomputed copy's original; any other tensor itself.
  Tensor source(const Tensor& tensor) const;

  /// The norm that wrote these coefficients.
  const kernels::NormCoefficients& norm_of(const Tensor& coefficients) const;
  void remember(const kernels::NormCoefficients& norm) { norms_[norm.coefficients.id] = norm; }

  void set_gradient(const Tensor& tensor, const Tensor& gradient) { gradients_[tensor.id] = gradient; }

 private:
  Program& program_;
  std::vector<bool> wanted_;  // by tensor id
  kernels::Mode parameter_mode_;
  std::map<std::int32_t, Tensor> gradients_;  // by id of the original tensor
  std::map<std::int32_t, Tensor> originals_;  // by id of the copy
  std::map<std::int32_t, kernels::NormCoefficients> norms_;
};

/// Records the gradient of `op` with respect to each operand that the tape wants. Throws logic_error for a record
/// that has no gradient. `op` reads recomputed copies where there are some.
void reverse(const Op& op, Tape& tape);

}  // namespace core::program
