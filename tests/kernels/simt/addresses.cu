#include "kernels/simt/kernel.h"
#include "tests/kernels/simt/probes.h"

namespace kernels::BACKEND::probe {
namespace {

__global__ void touch_static(float* y, int extent) {
  SHARED(float, row, [64]);
  float* const begin = row;
  begin[static_cast<int>(threadIdx.x) + extent - 64] = 1;
  __syncthreads();
  y[threadIdx.x] = begin[threadIdx.x];
}

__global__ void touch_inner(float* y, int extent) {
  SHARED(float, rows, [4][16]);
  rows[threadIdx.x / 16][static_cast<int>(threadIdx.x % 16) + extent - 16] = 1;
  __syncthreads();
  y[threadIdx.x] = rows[threadIdx.x / 16][threadIdx.x % 16];
}

__global__ void touch_dynamic(float* y) {
  DYNAMIC_SHARED(float, row);
  row[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = row[threadIdx.x];
}

__global__ void touch_global(float* y, int extent) {
  for (int i = static_cast<int>(threadIdx.x); i < extent; i += 64) y[i] = 1;
}

__global__ void touch_four(float* y, int first) {
  *reinterpret_cast<float4*>(y + first) = make_float4(1, 1, 1, 1);
}

}  // namespace

void touch(void* stream, Fault fault, float* memory, int extent) {
  switch (fault) {
    case Fault::past_static:
      return launch<touch_static>(1, 64, 0, stream, memory, extent);
    case Fault::past_an_inner_extent:
      return launch<touch_inner>(1, 64, 0, stream, memory, extent);
    case Fault::past_dynamic:
      return launch<touch_dynamic>(1, 64, static_cast<std::size_t>(extent) * 4, stream, memory);
    case Fault::past_global:
      return launch<touch_global>(1, 64, 0, stream, memory, extent);
    case Fault::misaligned:
      return launch<touch_four>(1, 1, 0, stream, memory, extent);
  }
}

}  // namespace kernels::BACKEND::probe
