// Where each tensor of a program lies in one arena, decided before the first byte is allocated.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/program/program.h"

namespace core::program {

struct Plan {
  static constexpr std::size_t external = ~std::size_t{0};
  std::vector<std::size_t> offsets;  // by tensor id, bytes; `external` for parameters, gradients and what is never used
  std::vector<std::size_t> scratch;  // by record, bytes
  std::size_t arena_bytes = 0;
  std::size_t activation_bytes = 0;  // the sum over planned tensors: what the arena would need without sharing
};

/// Two tensors share bytes only if no record touches one between the first and last use of the other. Offsets are
/// multiples of memory_alignment. `guard_bytes` (one as well) are left free after every tensor, for tests.
Plan plan_memory(const Program& program, std::span<const std::size_t> scratch_bytes, std::size_t guard_bytes = 0);

}  // namespace core::program
