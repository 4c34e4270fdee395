// Records that the CPU computes in float only, on operands that are stored as bf16: widened before and rounded after.
#pragma once

#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/ops.h"
#include "kernels/stored.h"

namespace kernels {

/// Those that read and write bf16 themselves.
template <typename Record>
constexpr bool computes_with_bf16 = std::is_same_v<Record, Conv> || std::is_same_v<Record, ConvDataGradient> ||
                                    std::is_same_v<Record, ConvWeightGradient> ||
                                    std::is_same_v<Record, NormGradient> || std::is_same_v<Record, AddScaled>;

/// A record on tensors of its own, numbered from 0, all of them float: those of the record that are stored otherwise
/// are copied.
template <typename Record>
class Widened {
 public:
  Widened(Record record, const CpuContext& context) : threads_(context.threads) {
    std::apply([&](auto&... operands) { (replace(operands), ...); }, record.operands());
    step_ = prepare(record, context);
    own_bytes_ = layout_.bytes();
  }
  std::size_t scratch_bytes() const { return own_bytes_ + step_.scratch_bytes; }

  void run(const Memory& memory) const {
    std::array<std::byte*, most_operands> base{};
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      base[i] = reinterpret_cast<std::byte*>(tensors_[i].copy.in(memory));
      if (tensors_[i].is_read) tensors_[i].copy.load_all(memory, threads_);
    }
    step_.run({base, memory.scratch + own_bytes_});
    for (const OwnTensor& tensor : tensors_)
      if (tensor.is_written) tensor.copy.store_all(memory, threads_);
  }

 private:
  static constexpr std::size_t most_operands = 16;
  struct OwnTensor {
    std::int32_t id;
    FloatCopy copy;
    bool is_read = false, is_written = false;
  };

  template <typename Operand>
  void replace(Operand& operand) {
    if (!operand) return;
    std::size_t i = 0;
    while (i < tensors_.size() && tensors_[i].id != operand.id) ++i;
    ensure(i < most_operands, "a record has at most 16 operands");
    if (i == tensors_.size()) tensors_.push_back({operand.id, FloatCopy(operand, layout_)});
    tensors_[i].is_read |= !std::is_same_v<Operand, Out>;
    tensors_[i].is_written |= !std::is_same_v<Operand, In>;
    operand.id = static_cast<std::int32_t>(i);
    if (operand.element == Element::bf16) operand.element = Element::f32;
  }

  int threads_;
  ScratchLayout layout_;
  std::vector<OwnTensor> tensors_;
  Step step_;
  std::size_t own_bytes_ = 0;
};

/// The record, whose operands may be stored as bf16 where narrow_operands() says so.
template <typename Record>
Step prepare_stored(const Record& record, const CpuContext& context) {
  bool has_bf16 = false;
  Record copy = record;
  std::apply([&](auto&... operands) { ((has_bf16 |= operands.element == Element::bf16), ...); }, copy.operands());
  if constexpr (!computes_with_bf16<Record>) {
    if (has_bf16) {
      const Widened widened(record, context);
      return {[=](const Memory& memory) { widened.run(memory); }, widened.scratch_bytes()};
    }
  }
  return prepare(record, context);
}

}  // namespace kernels
