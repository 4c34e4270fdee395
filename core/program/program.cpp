#include "core/program/program.h"

namespace core::program {

Tensor Program::tensor(std::string name, Shape shape, Role role, Element element) {
  Tensor tensor;
  tensor.id = static_cast<std::int32_t>(tensors_.size());
  tensor.element = element;
  tensor.shape = shape;
  tensors_.push_back({std::move(name), role, tensor});
  return tensor;
}

Tensor Program::parameter(std::string name, Shape shape, Initialiser initialiser, Training training) {
  const Tensor made = tensor(name, shape, Role::parameter);
  parameters_.push_back({made, std::move(name), initialiser, training});
  return made;
}

void Program::record(Op op) {
  ops_.push_back(std::move(op));
  segments_.push_back(segment_);
}

void Program::insert(const std::map<std::size_t, std::vector<Op>>& after) {
  std::vector<Op> ops;
  std::vector<int> segments;
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    ops.push_back(std::move(ops_[i]));
    if (const auto found = after.find(i); found != after.end())
      ops.insert(ops.end(), found->second.begin(), found->second.end());
    segments.resize(ops.size(), segments_[i]);
  }
  ops_ = std::move(ops);
  segments_ = std::move(segments);
}

void Program::store(std::span<const Element> elements) {
  const auto element_of = [&](const Tensor& tensor) { return elements[static_cast<std::size_t>(tensor.id)]; };
  for (TensorInfo& info : tensors_) info.tensor.element = element_of(info.tensor);
  for (Parameter& parameter : parameters_) parameter.tensor.element = element_of(parameter.tensor);
  for (Op& op : ops_) kernels::for_each_operand(op, [&](Tensor& operand) { operand.element = element_of(operand); });
}

}  // namespace core::program
