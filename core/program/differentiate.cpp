#include "core/program/differentiate.h"

#include <set>
#include <type_traits>

#include "core/program/tape.h"

namespace core::program {
namespace {

template <typename Operand>
constexpr bool reads = !std::is_same_v<std::remove_cvref_t<Operand>, kernels::Out>;
template <typename Operand>
constexpr bool writes = !std::is_same_v<std::remove_cvref_t<Operand>, kernels::In>;

/// By tensor id: whether it depends on one of `sources`.
std::vector<bool> dependent(const Program& program, std::span<const Tensor> sources) {
  std::vector<bool> depends(program.tensors().size(), false);
  for (const Tensor& source : sources) depends[static_cast<std::size_t>(source.id)] = true;
  for (Op op : program.ops()) {
    bool any = false;
    kernels::for_each_operand(
        op, [&](auto& operand) { any |= reads<decltype(operand)> && depends[static_cast<std::size_t>(operand.id)]; });
    if (!any) continue;
    kernels::for_each_operand(op, [&](auto& operand) {
      if (writes<decltype(operand)>) depends[static_cast<std::size_t>(operand.id)] = true;
    });
  }
  return depends;
}

/// Whether the result depends on something that the record writes, and that on something wanted.
bool matters(Op op, const Tape& tape) {
  bool any = false;
  kernels::for_each_operand(op, [&](auto& operand) {
    any |= writes<decltype(operand)> && tape.wants(operand) && static_cast<bool>(tape.gradient(operand));
  });
  return any;
}

/// The records of one segment, those of the forward pass being ops[begin, end).
struct Segment {
  std::size_t begin, end;
};

std::vector<Segment> segments_of(const Program& program) {
  std::vector<Segment> segments;
  for (std::size_t i = 0; i < program.ops().size(); ++i) {
    if (i == 0 || program.segments()[i] != program.segments()[i - 1]) segments.push_back({i, i});
    segments.back().end = i + 1;
  }
  return segments;
}

/// Activations that are written in the segment and read nowhere else in the forward pass.
std::set<std::int32_t> interior(const Program& program, const Segment& segment, std::size_t forward_records) {
  std::set<std::int32_t> inside, outside;
  for (std::size_t i = 0; i < forward_records; ++i) {
    Op op = program.ops()[i];
    const bool here = i >= segment.begin && i < segment.end;
    kernels::for_each_operand(op, [&](auto& operand) {
      if (here && writes<decltype(operand)> && program.info(operand).role == Role::activation)
        inside.insert(operand.id);
      if (!here) outside.insert(operand.id);
    });
  }
  std::erase_if(inside, [&](std::int32_t id) { return outside.contains(id); });
  return inside;
}

/// Records the segment once more, its interior activations under new names; returns the records as the reverse is to
/// see them.
std::vector<Op> record_again(Program& program, Tape& tape, const Segment& segment,
                             const std::set<std::int32_t>& inside) {
  std::map<std::int32_t, Tensor> copies;
  std::vector<Op> seen;
  for (std::size_t i = segment.begin; i < segment.end; ++i) {
    Op op = program.ops()[i];
    bool writes_inside = false;
    kernels::for_each_operand(op, [&](auto& operand) {
      if (!inside.contains(operand.id)) return;
      writes_inside |= writes<decltype(operand)>;
      auto& copy = copies[operand.id];
      if (!copy) {
        copy = program.tensor(program.info(operand).name + " again", operand.shape, Role::activation, operand.element);
        tape.replace(operand, copy);
      }
      operand.id = copy.id;
    });
    if (writes_inside) program.record(op);
    if (const auto* norm = std::get_if<kernels::NormCoefficients>(&op)) tape.remember(*norm);
    seen.push_back(std::move(op));
  }
  return seen;
}

}  // namespace

std::vector<Tensor> differentiate(Program& program, std::span<const Seed> seeds,
                                  std::span<const Tensor> with_respect_to, const DifferentiateOptions& options) {
  Tape tape(program, dependent(program, with_respect_to), options.parameter_mode);
  for (const Seed& seed : seeds) tape.set_gradient(seed.tensor, seed.gradient);
  const std::size_t forward_records = program.ops().size();
  for (const Op& op : program.ops()) {
    if (const auto* norm = std::get_if<kernels::NormCoefficients>(&op)) tape.remember(*norm);
  }

  const std::vector<Segment> segments = segments_of(program);
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    std::vector<Op> records(program.ops().begin() + static_cast<std::ptrdiff_t>(segment->begin),
                            program.ops().begin() + static_cast<std::ptrdiff_t>(segment->end));
    // What the last segment computed is still there when its reverse begins.
    if (options.recompute == Recompute::segments && segment != segments.rbegin()) {
      records = record_again(program, tape, *segment, interior(program, *segment, forward_records));
    }
    for (auto op = records.rbegin(); op != records.rend(); ++op) {
      if (matters(*op, tape)) reverse(*op, tape);
    }
  }

  std::vector<Tensor> gradients;
  for (const Tensor& tensor : with_respect_to) {
    gradients.push_back(tape.gradient(tensor));
    kernels::ensure(static_cast<bool>(gradients.back()), "what is differentiated depends on every tensor asked for");
  }
  return gradients;
}

}  // namespace core::program
