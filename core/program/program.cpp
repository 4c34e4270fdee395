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

Tensor Program::parameter(std::string name, Shape shape, Initialiser initialiser) {
  const Tensor made = tensor(name, shape, Role::parameter);
  parameters_.push_back({made, std::move(name), initialiser});
  return made;
}

void Program::record(Op op) {
  ops_.push_back(std::move(op));
  segments_.push_back(segment_);
}

}  // namespace core::program
