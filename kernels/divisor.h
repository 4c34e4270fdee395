// Division by a number that stays the same throughout a kernel.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/portable.h"

namespace kernels {

/// Quotients by multiplication (Granlund and Montgomery 1994), some four instructions where a division takes twenty.
/// Of numbers from 0 to 2^31 - 1, by one that is at least 1.
class Divisor {
 public:
  PORTABLE constexpr Divisor(int divisor)
      : value(divisor),
        shift_(std::bit_width(static_cast<std::uint32_t>(divisor) - 1) - 1),
        factor_(
            static_cast<std::uint32_t>(((std::uint64_t{1} << (32 + shift_)) + static_cast<std::uint32_t>(divisor) - 1) /
                                       static_cast<std::uint32_t>(divisor))) {}
  int value;

  PORTABLE constexpr int quotient(int n) const {
    if (value == 1) return n;
    return static_cast<int>(
        static_cast<std::uint32_t>((std::uint64_t{static_cast<std::uint32_t>(n)} * factor_) >> 32) >> shift_);
  }
  PORTABLE constexpr int remainder(int n) const { return n - quotient(n) * value; }

 private:
  int shift_;
  std::uint32_t factor_;
};

}  // namespace kernels
