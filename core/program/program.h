// A model as a straight line of records: what `differentiate`, `plan_memory` and an executor work on.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/ops.h"

namespace core::program {

using kernels::Element;
using kernels::Op;
using kernels::Shape;
using kernels::Tensor;

/// Who gives a tensor its memory, and how long it lives.
enum class Role : std::uint8_t {
  activation,  // planned: from its first to its last use
  input,       // planned, for the whole program: filled by upload()
  output,      // planned, for the whole program: read by download()
  parameter,   // bound by the caller to a part of the flat weights
  gradient,    // bound by the caller to a part of the flat gradients
};

struct TensorInfo {
  std::string name;
  Role role = Role::activation;
  Tensor tensor;
};

/// How a parameter starts: uniform in [centre - limit, centre + limit], or normal with mean `centre` where there is a
/// standard deviation.
struct Initialiser {
  float centre = 0;
  float limit = 0;
  float deviation = 0;
};

/// A frozen parameter is part of the model and of its checkpoints, but its gradient is 0.
enum class Training : std::uint8_t { learned, frozen };

struct Parameter {
  Tensor tensor;
  std::string name;
  Initialiser initialiser;
  Training training = Training::learned;
};

class Program {
 public:
  Tensor tensor(std::string name, Shape shape, Role role = Role::activation, Element element = Element::f32);
  Tensor input(std::string name, Shape shape, Element element = Element::f32) {
    return tensor(std::move(name), shape, Role::input, element);
  }
  /// Parameters keep the order in which they are made: it is the order of the flat parameter space.
  Tensor parameter(std::string name, Shape shape, Initialiser initialiser, Training training = Training::learned);

  void record(Op op);
  /// Puts records behind others, which are given by their index.
  void insert(const std::map<std::size_t, std::vector<Op>>& after);

  /// Records from here on belong to a new segment; differentiate may keep only what enters a segment and compute the
  /// rest of it again.
  void begin_segment() { ++segment_; }

  /// Makes an activation an output, so that it can be downloaded after a run.
  void keep(const Tensor& tensor) { tensors_[static_cast<std::size_t>(tensor.id)].role = Role::output; }

  /// Stores tensors as these element types, by tensor id, in all records.
  void store(std::span<const Element> elements);

  std::span<const Op> ops() const { return ops_; }
  std::span<const int> segments() const { return segments_; }  // of each op
  std::span<const TensorInfo> tensors() const { return tensors_; }
  std::span<const Parameter> parameters() const { return parameters_; }
  const TensorInfo& info(const Tensor& tensor) const { return tensors_[static_cast<std::size_t>(tensor.id)]; }

 private:
  std::vector<Op> ops_;
  std::vector<int> segments_;
  std::vector<TensorInfo> tensors_;
  std::vector<Parameter> parameters_;
  int segment_ = 0;
};

}  // namespace core::program
