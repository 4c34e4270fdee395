#include "core/program/executor.h"

#include <algorithm>
#include <cmath>

namespace core::program {
namespace {

bool is_finite(float value) {
  return std::isfinite(value);
}
bool is_finite(kernels::Bf16 value) {
  return std::isfinite(kernels::widen(value));
}

/// The index of the first value that is no number, if there is one.
template <typename T>
std::optional<std::int64_t> first_non_finite(kernels::Device& device, const std::byte* memory, std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  device.read(std::as_writable_bytes(std::span(values)), memory);
  const auto found = std::ranges::find_if_not(values, [](T value) { return is_finite(value); });
  return found == values.end() ? std::nullopt : std::optional(found - values.begin());
}

}  // namespace

Executor::Executor(const Program& program, std::shared_ptr<kernels::Device> device, const kernels::OnExchange& exchange)
    : device_(std::move(device)), program_(program) {
  std::vector<std::size_t> scratch;
  for (const Op& op : program_.ops()) {
    steps_.push_back(device_->prepare(op, exchange));
    scratch.push_back(steps_.back().scratch_bytes);
  }
  plan_ = plan_memory(program_, scratch);
  arena_ = device_->allocate(plan_.arena_bytes, "activations");
  base_.assign(program_.tensors().size(), nullptr);
  for (std::size_t i = 0; i < base_.size(); ++i) {
    if (plan_.offsets[i] != Plan::external) base_[i] = arena_.get() + plan_.offsets[i];
  }
}

void Executor::bind(const Tensor& tensor, std::span<float> memory) {
  const TensorInfo& info = program_.info(tensor);
  kernels::ensure(info.role == Role::parameter || info.role == Role::gradient,
                  "only parameters and gradients are bound");
  kernels::ensure(std::ssize(memory) == tensor.shape.elements(), "a tensor is bound to as many elements as it has");
  base(tensor) = reinterpret_cast<std::byte*>(memory.data());
  replays_ = {};
}

void Executor::run(Exchanging exchanging) {
  std::function<void()>& replay = replays_[static_cast<std::size_t>(exchanging)];
  if (!replay) {
    ensure_bound();
    replay = device_->capture([this, exchanging] {
      for (std::size_t i = 0; i < steps_.size(); ++i) run_step(i, exchanging);
    });
  }
  replay();
}

std::vector<double> Executor::run_timed(Exchanging exchanging) {
  ensure_bound();
  std::vector<kernels::Device::Part> parts;
  for (std::size_t i = 0; i < steps_.size(); ++i)
    parts.push_back({kernels::name(program_.ops()[i]), [this, i, exchanging] { run_step(i, exchanging); }});
  return device_->time(parts);
}

std::optional<NonFinite> Executor::find_non_finite() {
  ensure_bound();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    run_step(i, Exchanging::no);
    std::optional<NonFinite> found;
    Op op = program_.ops()[i];
    kernels::for_each_operand(op, [&]<typename Operand>(Operand& operand) {
      if (!std::is_same_v<Operand, kernels::In> && !found) found = scan(op, operand);
    });
    if (found) return found;
  }
  return std::nullopt;
}

void Executor::upload_bytes(const Tensor& tensor, std::span<const std::byte> values) {
  device_->write(place(tensor, Role::input, values.size()), values);
}

void Executor::download_bytes(const Tensor& tensor, std::span<std::byte> values) {
  device_->read(values, place(tensor, Role::output, values.size()));
}

std::byte* Executor::place(const Tensor& tensor, Role role, std::size_t bytes) {
  kernels::ensure(bytes == tensor.size_bytes(), "an upload or download has as many elements as the tensor");
  kernels::ensure(program_.info(tensor).role == role, "inputs are uploaded, outputs downloaded");
  return base(tensor);
}

void Executor::ensure_bound() {
  for (Op op : program_.ops()) {
    kernels::for_each_operand(op, [&](const Tensor& operand) {
      kernels::ensure(base(operand) != nullptr, "every parameter and gradient is bound before the first run");
    });
  }
}

void Executor::run_step(std::size_t record, Exchanging exchanging) {
  if (exchanging == Exchanging::no && std::holds_alternative<kernels::Exchange>(program_.ops()[record])) return;
  steps_[record].run({.base = base_, .scratch = arena_.get() + plan_.scratch[record]});
}

std::optional<NonFinite> Executor::scan(const Op& op, const Tensor& tensor) {
  const std::int64_t count = tensor.shape.elements();
  std::optional<std::int64_t> found;
  if (tensor.element == Element::f32) found = first_non_finite<float>(*device_, base(tensor), count);
  if (tensor.element == Element::bf16) found = first_non_finite<kernels::Bf16>(*device_, base(tensor), count);
  if (!found) return std::nullopt;
  return NonFinite{kernels::name(op), program_.info(tensor).name, *found / (count / tensor.shape[0])};
}

}  // namespace core::program
