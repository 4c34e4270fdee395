// Memory for the tests of one record: each tensor between guards, outputs not yet written, runs compared bit for bit.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <tuple>
#include <vector>

#include "kernels/bf16.h"
#include "kernels/tensor.h"
#include "tests/kernels/poison.h"
#include "way.h"  // of the backend that this program tests

namespace kernels::test {

/// Whether a record promises the same bits for every number of the CPU's threads, or only from run to run.
enum class ThreadBits : std::uint8_t { equal, may_differ };

/// Expects |got - wanted| <= tolerance * the largest |wanted|.
inline void expect_close(const std::vector<double>& got, const std::vector<double>& wanted, double tolerance,
                         const char* what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  double largest = 0, worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(wanted[i]));
    const double error = std::abs(got[i] - wanted[i]);
    if (!(error <= worst)) worst = error, where = i;
    if (std::isnan(worst)) break;
  }
  EXPECT_TRUE(worst <= tolerance * largest)
      << what << "[" << where << "] is " << got[where] << ", wanted " << wanted[where];
}

class Arena {
  using Block = std::vector<std::byte, BlockAllocator<std::byte>>;  // guard, data, guard

 public:
  explicit Arena(unsigned seed) : random_(seed) {}

  /// A tensor of uniform values in [low, high).
  Tensor uniform(Shape shape, float low = -1, float high = 1) {
    std::vector<double> values(static_cast<std::size_t>(shape.elements()));
    for (double& value : values) value = std::uniform_real_distribution<float>(low, high)(random_);
    return of(shape, values);
  }
  Tensor of(Shape shape, const std::vector<double>& values) {
    const Tensor tensor = add(shape, Element::f32);
    std::copy(values.begin(), values.end(), data<float>(tensor));
    return tensor;
  }
  Tensor integers(const std::vector<std::int64_t>& values) {
    const Tensor tensor = add({static_cast<std::int64_t>(values.size())}, Element::i64);
    std::copy(values.begin(), values.end(), data<std::int64_t>(tensor));
    return tensor;
  }

  Tensor doubles(std::int64_t count) { return add({count}, Element::f64); }

  /// 8-bit values, value(i) at element i.
  Tensor bytes(Shape shape, const std::function<std::uint8_t(std::size_t)>& value) {
    const Tensor tensor = add(shape, Element::u8);
    for (std::size_t i = 0; i < tensor.size_bytes(); ++i) data<std::uint8_t>(tensor)[i] = value(i);
    return tensor;
  }

  /// The values of a tensor; {} of an absent one.
  std::vector<double> values(const Tensor& tensor) {
    return tensor ? std::vector<double>(data<float>(tensor), data<float>(tensor) + tensor.shape.elements())
                  : std::vector<double>();
  }
  template <typename T>
  T* data(const Tensor& tensor) {
    return reinterpret_cast<T*>(blocks_[static_cast<std::size_t>(tensor.id)].data() + guard);
  }

  /// Runs the record in each of this program's ways, on outputs of NaN, and leaves the last result. Fails where bits
  /// differ, or where it writes what it only reads or beyond its memory. Where operands may be bf16 as well, fails
  /// unless they then get what they get in f32, rounded, or something within the record's narrow_tolerance of it.
  template <typename Op>
  void run(const Op& op, ThreadBits bits = ThreadBits::equal) {
    const std::vector<Block> before = blocks_;
    run_in_all_ways(op, bits);
    const std::vector<Block> after = blocks_;
    Op copy = op;
    if constexpr (std::tuple_size_v < decltype(narrow_operands(copy)) >> 0) {
      blocks_ = before;
      run_narrow(copy, bits);
      blocks_ = after;
    }
  }

  /// Runs the record as way.step_of(op) prepares it, on outputs of NaN.
  template <typename Op, typename OneWay>
  void run_once(Op op, const OneWay& way) {
    const auto before = blocks_;
    const Step step = with_guards_poisoned(way.step_of(op));
    std::apply([&](auto&... operands) { (erase(operands), ...); }, op.operands());
    std::vector<std::byte*> base;
    for (Block& block : blocks_) base.push_back(block.data() + guard);
    Block scratch(step.scratch_bytes + 2 * guard + memory_alignment, mark);
    const std::size_t shift =
        memory_alignment - (reinterpret_cast<std::uintptr_t>(scratch.data()) + guard) % memory_alignment;
    step.run(Memory{base, scratch.data() + guard + shift});
    way.finish();
    std::apply([&](auto&... operands) { (expect_untouched(operands, before), ...); }, op.operands());
    for (const Block& block : blocks_) expect_guards(block);
    for (std::size_t i = step.scratch_bytes + guard + shift; i < scratch.size(); ++i)
      if (scratch[i] != mark) FAIL() << "written beyond the scratch";
  }

 private:
  static constexpr std::size_t guard = 64;
  static constexpr std::byte mark{0xa5};

  Tensor add(Shape shape, Element element) {
    Tensor tensor{static_cast<std::int32_t>(blocks_.size()), element, shape};
    blocks_.emplace_back(tensor.size_bytes() + 2 * guard, mark);
    return tensor;
  }

  Step with_guards_poisoned(const Step& step) {
    const auto run = [this, run = step.run](const Memory& memory) {
      Poison poison;
      for (const Block& block : blocks_) {
        poison.add({block.data(), guard});
        poison.add({block.data() + block.size() - guard, guard});
      }
      run(memory);
    };
    return {run, step.scratch_bytes};
  }

  void erase(const Out& tensor) {
    if (tensor) std::memset(data<std::byte>(tensor), 0xff, tensor.size_bytes());  // NaN, whatever is stored
  }
  void erase(const Tensor&) {}
  void expect_untouched(const In& tensor, const std::vector<Block>& before) {
    const auto id = static_cast<std::size_t>(tensor.id);
    EXPECT_TRUE(!tensor || blocks_[id] == before[id]) << "an input was written";
  }
  void expect_untouched(const Tensor&, const std::vector<Block>&) {}
  static void expect_guards(const Block& block) {
    for (std::size_t i = 0; i < guard; ++i)
      if (block[i] != mark || block[block.size() - 1 - i] != mark) FAIL() << "written beyond a tensor or the scratch";
  }

  template <typename Op>
  void run_in_all_ways(const Op& op, ThreadBits bits) {
    const std::vector<Block> before = blocks_;
    std::vector<Block> first;
    std::vector<Way> all = ways();
    if (products_take_long && narrow_tolerance(op) > 0 && all.size() > 2) all.erase(all.begin() + 2, all.end());
    for (std::size_t i = 0; i < all.size(); ++i) {
      blocks_ = before;
      run_once(op, all[i]);
      if (i == 0 || (bits == ThreadBits::may_differ && !all[i].like(all[i - 1]))) first = blocks_;
      EXPECT_TRUE(blocks_ == first) << "the bits differ from those of an earlier run, now with " << all[i].name();
    }
  }

  template <typename Op>
  void run_narrow(Op op, ThreadBits bits) {
    const auto each = [&](const auto& f) {
      std::apply([&](auto&... operands) { ((operands ? f(operands) : void()), ...); }, narrow_operands(op));
    };
    each([&](const Tensor& tensor) {
      for (std::int64_t i = 0; i < tensor.shape.elements(); ++i)
        data<float>(tensor)[i] = widen(kernels::narrow(data<float>(tensor)[i]));
    });
    std::vector<Block> narrow_blocks = blocks_;
    run_once(op, ways().front());
    std::vector<Block> wanted = blocks_;
    std::vector<bool> narrowed(blocks_.size());
    each([&](Tensor& tensor) {
      tensor.element = Element::bf16;
      const auto id = static_cast<std::size_t>(tensor.id);
      if (narrowed[id]) return;
      narrowed[id] = true;
      for (Block* block : {&narrow_blocks[id], &wanted[id]}) *block = narrowed_block(*block, tensor.shape.elements());
    });
    blocks_ = narrow_blocks;
    run_in_all_ways(op, bits);
    const double tolerance = narrow_tolerance(op);
    if (tolerance == 0) {
      EXPECT_TRUE(blocks_ == wanted) << "in bf16 it is not the rounded result of the same inputs in f32";
      return;
    }
    const auto values = [&](const std::vector<Block>& blocks, const Tensor& tensor) {
      const std::byte* const first = blocks[static_cast<std::size_t>(tensor.id)].data() + guard;
      std::vector<double> result(static_cast<std::size_t>(tensor.shape.elements()));
      for (std::size_t i = 0; i < result.size(); ++i)
        result[i] = tensor.element == Element::bf16 ? widen(reinterpret_cast<const Bf16*>(first)[i])
                                                    : reinterpret_cast<const float*>(first)[i];
      return result;
    };
    const auto compare = [&]<typename Operand>(const Operand& operand) {
      if (!std::is_same_v<Operand, In> && operand)
        expect_close(values(blocks_, operand), values(wanted, operand), tolerance, "what bf16 gives");
    };
    std::apply([&](const auto&... operands) { (compare(operands), ...); }, op.operands());
  }
  static Block narrowed_block(const Block& block, std::int64_t elements) {
    Block result(static_cast<std::size_t>(elements) * sizeof(Bf16) + 2 * guard, mark);
    for (std::size_t i = 0; i < static_cast<std::size_t>(elements); ++i) {
      float value;
      std::memcpy(&value, block.data() + guard + i * sizeof(value), sizeof(value));
      const Bf16 narrow = kernels::narrow(value);
      std::memcpy(result.data() + guard + i * sizeof(narrow), &narrow, sizeof(narrow));
    }
    return result;
  }

  std::mt19937 random_;
  std::vector<Block> blocks_;
};

/// Expects `gradient` to be the gradient of `loss` at `point`: along random directions, and along each axis of small
/// points or some axes of large ones, by central differences.
inline void expect_gradient(const std::function<double(const std::vector<double>&)>& loss,
                            const std::vector<double>& point, const std::vector<double>& gradient, double tolerance,
                            const char* what) {
  ASSERT_EQ(point.size(), gradient.size()) << what;
  constexpr double step = 1e-4;
  const auto slope = [&](const std::vector<double>& direction) {
    std::vector<double> ahead = point, behind = point;
    for (std::size_t i = 0; i < point.size(); ++i) ahead[i] += step * direction[i], behind[i] -= step * direction[i];
    return (loss(ahead) - loss(behind)) / (2 * step);
  };
  double square = 0, largest = 0;
  for (double g : gradient) square += g * g, largest = std::max(largest, std::abs(g));

  std::mt19937 random(7);
  for (int trial = 0; trial < 2; ++trial) {
    std::vector<double> direction(point.size());
    double product = 0;
    for (std::size_t i = 0; i < point.size(); ++i) {
      direction[i] = std::normal_distribution<double>()(random);
      product += direction[i] * gradient[i];
    }
    EXPECT_NEAR(product, slope(direction), tolerance * std::sqrt(square) + 1e-12)
        << what << " along a random direction";
  }
  const std::size_t axes = point.size() <= 60 ? point.size() : 12;
  for (std::size_t j = 0; j < axes; ++j) {
    const std::size_t i = axes == point.size() ? j : random() % point.size();
    std::vector<double> direction(point.size());
    direction[i] = 1;
    EXPECT_NEAR(gradient[i], slope(direction), tolerance * largest + 1e-12) << what << "[" << i << "]";
  }
}

/// What a record with Mode::accumulate added.
inline std::vector<double> difference(std::vector<double> values, const std::vector<double>& before) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] -= before[i];
  return values;
}

}  // namespace kernels::test
