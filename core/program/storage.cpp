#include "core/program/storage.h"

#include <algorithm>
#include <tuple>

#include "kernels/narrow_operands.h"

namespace core::program {
namespace {

bool is_large_activation(const TensorInfo& info) {
  const Shape& shape = info.tensor.shape;
  return info.role == Role::activation && info.tensor.element == Element::f32 && shape.rank() == 4 && shape[3] % 8 == 0;
}

/// Calls f(operand) with each present operand of the record that may be bf16.
template <typename F>
void for_each_narrow_operand(Op& op, const F& f) {
  const auto visit_one = [&](const Tensor& operand) {
    if (operand) f(operand);
  };
  std::visit(
      [&](auto& record) {
        std::apply([&](auto&... operands) { (visit_one(operands), ...); }, kernels::narrow_operands(record));
      },
      op);
}

/// The tensors to store as bf16, by id.
class NarrowTensors {
 public:
  explicit NarrowTensors(const Program& program) {
    for (const TensorInfo& info : program.tensors()) narrow_.push_back(is_large_activation(info));
    for (const Op& op : program.ops()) refuse_other_operands(op);
    for (bool changed = true; changed;) {
      changed = false;
      for (const Op& op : program.ops()) changed = refuse_where_not_alike(op) || changed;
    }
  }
  bool operator[](std::size_t id) const { return narrow_[id]; }

 private:
  static std::size_t id(const Tensor& tensor) { return static_cast<std::size_t>(tensor.id); }

  void refuse_other_operands(Op op) {
    std::vector<std::size_t> taken;
    for_each_narrow_operand(op, [&](const Tensor& operand) { taken.push_back(id(operand)); });
    kernels::for_each_operand(op, [&](const Tensor& operand) {
      if (std::ranges::find(taken, id(operand)) == taken.end()) narrow_[id(operand)] = false;
    });
  }

  /// Whether something was refused.
  bool refuse_where_not_alike(Op op) {
    if (!std::visit([](const auto& record) { return kernels::stored_alike<std::decay_t<decltype(record)>>; }, op))
      return false;
    bool all = true, any = false;
    for_each_narrow_operand(op, [&](const Tensor& operand) {
      all = all && narrow_[id(operand)];
      any = any || narrow_[id(operand)];
    });
    if (all || !any) return false;
    for_each_narrow_operand(op, [&](const Tensor& operand) { narrow_[id(operand)] = false; });
    return true;
  }

  std::vector<bool> narrow_;
};

}  // namespace

Program stored(Program program, Storage storage) {
  if (storage == Storage::f32) return program;
  const NarrowTensors narrow(program);
  std::vector<Element> elements;
  for (std::size_t i = 0; i < program.tensors().size(); ++i)
    elements.push_back(narrow[i] ? Element::bf16 : program.tensors()[i].tensor.element);
  program.store(elements);
  return program;
}

}  // namespace core::program
