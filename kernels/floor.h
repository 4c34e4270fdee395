// The least time that a record can take on this machine, to hold what it takes against.
#pragma once

#include "kernels/ops.h"

namespace kernels {

/// What some threads of a machine do at best, measured now: products of matrices in the first-level cache, and copies
/// of arrays of 4 MiB a thread, which are read and written.
struct MachineSpeed {
  double flops_per_second, bytes_per_second;
  double bf16_flops_per_second = flops_per_second;  // of convolutions whose operands are stored so
  double conv_share =
      0.25;  // of the products of a 3x3 convolution of many channels: by Winograd's F(4x4,3x3) a quarter
};
MachineSpeed measure_machine(int threads);

/// What an H100 does at best, read once on one: products of 8192 x 8192 matrices of bf16, and copies.
inline constexpr MachineSpeed h100{.flops_per_second = 798e12, .bytes_per_second = 3.0e12, .conv_share = 1};

/// Of all operands, each counted once.
double operand_bytes(const Op& op);

/// The larger of two times: the record's products at full speed, and its operands moved once.
double floor_seconds(const Op& op, const MachineSpeed& speed);

}  // namespace kernels
