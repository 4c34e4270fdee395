// In which order the threads and blocks of a launch run between the places where they wait.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace kernels::simt {

/// random: threads and blocks shuffled, and shuffled again at each barrier; a pure function of the seed.
enum class Order : std::uint8_t { forward, reverse, random };

class Schedule {
 public:
  Schedule(Order order, std::uint64_t seed) : order_(order), random_(seed) {}

  /// 0..count-1 in the order in which they are to start.
  std::vector<std::size_t> starts(std::size_t count) {
    std::vector<std::size_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), std::size_t{0});
    if (order_ == Order::reverse) std::reverse(numbers.begin(), numbers.end());
    shuffle(numbers);
    return numbers;
  }
  template <typename Range>
  void shuffle(Range& range) {
    if (order_ == Order::random) std::shuffle(range.begin(), range.end(), random_);
  }
  /// A free choice of the hardware; always false but for Order::random.
  bool coin() { return order_ == Order::random && (random_() & 1) != 0; }
  Order order() const { return order_; }

 private:
  Order order_;
  std::mt19937_64 random_;
};

}  // namespace kernels::simt
