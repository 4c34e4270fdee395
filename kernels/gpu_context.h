// What preparing an operation for the GPU may know, without any CUDA header.
#pragma once

#include "kernels/gpu_blas.h"
#include "kernels/tiles.h"

namespace kernels {

struct GpuContext {
  void* stream = nullptr;  // of CUDA, in which every step runs; an emulated one is a simt::Device
  /// Called by Exchange records with their topic and data, which the device has; empty: alone, nothing to exchange.
  std::function<void(int topic, std::span<float> data)> exchange;
  Blas blas = {};  // empty: all products are the kernels' own
  ChooseTile tile = tile_by_rule;
};

// One source <stem>.cu gives both: nvcc's kernels and the emulated ones that tests run on the CPU. Each defines its
// records' specialisations; a record without one does not link.
namespace cuda {
template <typename Record>
Step prepare(const Record&, const GpuContext&);
}
namespace emulated {
template <typename Record>
Step prepare(const Record&, const GpuContext&);
}

}  // namespace kernels
