// The emulated GPU as a device that programs run on.
#pragma once

#include "kernels/device.h"
#include "kernels/simt/device.h"

namespace kernels::simt {

/// With so much memory, which no host pointer may be taken for.
std::shared_ptr<kernels::Device> make_emulated_device(std::size_t memory_bytes, Options options = {});

}  // namespace kernels::simt
