// The least time that a record can take on this machine, to hold what it takes against.
#pragma once

#include "kernels/ops.h"

namespace kernels {

/// What some threads of a machine do at best, measured now: products of matrices in the first-level cache, and copies
/// of arrays of 4 MiB a thread, which are read and written.
struct MachineSpeed {
  double flops_per_second, bytes_per_second;
};
MachineSpeed measure_machine(int threads);

/// The larger of two times: the record's products at full speed, a quarter of them for a 3x3 convolution of many
/// channels (Winograd's F(4x4,3x3)), and its operands moved once.
double floor_seconds(const Op& op, const MachineSpeed& speed);

}  // namespace kernels
