#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "core/program/executor.h"

namespace core::program {
namespace {

constexpr std::size_t alignment = 64;

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};

std::unique_ptr<std::byte, Free> allocate(std::size_t bytes) {
  const std::size_t rounded = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  std::unique_ptr<std::byte, Free> memory(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
  kernels::require(
      memory != nullptr,
      "out of memory: activations need {:.2f} GiB; use fewer images per batch, or training.recompute: BLOCKS",
      static_cast<double>(bytes) / (1 << 30));
  return memory;
}

class CpuExecutor : public Executor {
 public:
  CpuExecutor(const Program& program, kernels::CpuContext context) : program_(program) {
    std::vector<std::size_t> scratch;
    for (const Op& op : program_.ops()) {
      steps_.push_back(std::visit([&](const auto& record) { return kernels::prepare(record, context); }, op));
      scratch.push_back(steps_.back().scratch_bytes);
    }
    plan_ = plan_memory(program_, scratch);
    arena_ = allocate(plan_.arena_bytes);
    base_.assign(program_.tensors().size(), nullptr);
    for (std::size_t i = 0; i < base_.size(); ++i) {
      if (plan_.offsets[i] != Plan::external) base_[i] = arena_.get() + plan_.offsets[i];
    }
  }

  void bind(const Tensor& tensor, std::span<float> memory) override {
    const TensorInfo& info = program_.info(tensor);
    kernels::ensure(info.role == Role::parameter || info.role == Role::gradient,
                    "only parameters and gradients are bound");
    kernels::ensure(std::ssize(memory) == tensor.shape.elements(), "a tensor is bound to as many elements as it has");
    base_[static_cast<std::size_t>(tensor.id)] = reinterpret_cast<std::byte*>(memory.data());
  }

  void run() override {
    for (std::size_t i = 0; i < steps_.size(); ++i) run_step(i);
  }

  void run(const std::function<void(std::size_t record)>& after) override {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      run_step(i);
      after(i);
    }
  }

  std::optional<NonFinite> find_non_finite() override {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      run_step(i);
      std::optional<NonFinite> found;
      Op op = program_.ops()[i];
      kernels::for_each_operand(op, [&]<typename Operand>(Operand& operand) {
        if (!std::is_same_v<Operand, kernels::In> && !found) found = scan(op, operand);
      });
      if (found) return found;
    }
    return std::nullopt;
  }

  const Plan& plan() const override { return plan_; }

 protected:
  void upload_bytes(const Tensor& tensor, std::span<const std::byte> values) override {
    kernels::ensure(values.size() == tensor.size_bytes(), "an upload has as many elements as the tensor");
    std::memcpy(place(tensor, Role::input), values.data(), values.size());
  }
  void download_bytes(const Tensor& tensor, std::span<std::byte> values) override {
    kernels::ensure(values.size() == tensor.size_bytes(), "a download has as many elements as the tensor");
    std::memcpy(values.data(), place(tensor, Role::output), values.size());
  }

 private:
  void run_step(std::size_t i) { steps_[i].run({.base = base_, .scratch = arena_.get() + plan_.scratch[i]}); }

  std::byte* place(const Tensor& tensor, Role role) const {
    kernels::ensure(program_.info(tensor).role == role, "inputs are uploaded, outputs downloaded");
    return base_[static_cast<std::size_t>(tensor.id)];
  }

  std::optional<NonFinite> scan(const Op& op, const Tensor& tensor) const {
    if (tensor.element != Element::f32) return std::nullopt;
    const float* values = reinterpret_cast<const float*>(base_[static_cast<std::size_t>(tensor.id)]);
    const std::int64_t count = tensor.shape.elements();
    const float* found = std::find_if(values, values + count, [](float value) { return !std::isfinite(value); });
    if (found == values + count) return std::nullopt;
    return NonFinite{kernels::name(op), program_.info(tensor).name, (found - values) / (count / tensor.shape[0])};
  }

  Program program_;
  std::vector<kernels::Step> steps_;
  Plan plan_;
  std::unique_ptr<std::byte, Free> arena_;
  std::vector<std::byte*> base_;
};

}  // namespace

std::unique_ptr<Executor> make_cpu_executor(const Program& program, kernels::CpuContext context) {
  return std::make_unique<CpuExecutor>(program, std::move(context));
}

}  // namespace core::program
