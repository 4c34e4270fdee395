#include "core/program/describe.h"

#include <fmt/ranges.h>

namespace core::program {
namespace {

std::string line(std::size_t index, const Op& op, const Program& program) {
  const double gflop = kernels::flops(op) * 1e-9;
  return fmt::format("{:5} {:<21} {:>9} {}\n", index, kernels::name(op), gflop > 0 ? fmt::format("{:.3f}", gflop) : "",
                     written_by(op, program));
}

double mib(std::size_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

}  // namespace

std::string shape_text(const Shape& shape) {
  std::vector<std::int64_t> extents;
  for (int i = 0; i < shape.rank(); ++i) extents.push_back(shape[i]);
  return fmt::format("[{}]", fmt::join(extents, ","));
}

std::string written_by(const Op& op, const Program& program) {
  std::string written;
  Op copy = op;
  kernels::for_each_operand(copy, [&]<typename Operand>(Operand& operand) {
    if (std::is_same_v<Operand, kernels::In>) return;
    written +=
        fmt::format("{}{} {}", written.empty() ? "" : ", ", program.info(operand).name, shape_text(operand.shape));
  });
  return written;
}

std::int64_t parameter_count(const Program& program, Training training) {
  std::int64_t count = 0;
  for (const Parameter& parameter : program.parameters())
    count += parameter.training == training ? parameter.tensor.shape.elements() : 0;
  return count;
}

double total_flops(const Program& program) {
  double sum = 0;
  for (const Op& op : program.ops()) sum += kernels::flops(op);
  return sum;
}

std::string describe(const Program& program, const Plan& plan) {
  std::string text = fmt::format("{:>5} {:<21} {:>9} {}\n", "", "record", "GFLOP", "writes");
  for (std::size_t i = 0; i < program.ops().size(); ++i) text += line(i, program.ops()[i], program);
  std::size_t gradients = 0;
  for (const TensorInfo& info : program.tensors())
    gradients += info.role == Role::gradient ? info.tensor.size_bytes() : 0;
  const std::int64_t learned = parameter_count(program), frozen = parameter_count(program, Training::frozen);
  text +=
      fmt::format("\nparameters   {:>14}{}\nGFLOP        {:>14.2f} a run\n", learned,
                  frozen > 0 ? fmt::format(" and {} that are not trained", frozen) : "", total_flops(program) * 1e-9);
  text += fmt::format("weights      {:>14.1f} MiB\ngradients    {:>14.1f} MiB\n",
                      mib(static_cast<std::size_t>(learned + frozen) * 4), mib(gradients));
  text += fmt::format("activations  {:>14.1f} MiB ({:.1f} MiB if none shared memory)\n", mib(plan.arena_bytes),
                      mib(plan.activation_bytes));
  return text;
}

}  // namespace core::program
