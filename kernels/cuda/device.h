// NVIDIA's GPUs as devices, without their headers. Where the program was built without CUDA every call says so.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/device.h"

namespace kernels::cuda {

struct Gpu {
  std::string name;
  std::string id;  // of the card, the same in every process
};

/// Those that this process sees, which is at least one. Throws InputError, one line, where there is none to be seen:
/// no CUDA in the program, no driver or too old a one, no GPU.
std::vector<Gpu> gpus();

/// Throws InputError unless the kernels were compiled for this capability.
void require_capability(int index, const std::string& name, int major, int minor);

/// One of them; a process uses one. Throws InputError where the kernels were not compiled for it.
std::shared_ptr<Device> open(int index);

}  // namespace kernels::cuda
