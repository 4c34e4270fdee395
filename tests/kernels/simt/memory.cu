#include "kernels/simt/kernel.h"
#include "tests/kernels/simt/probes.h"

namespace kernels::BACKEND::probe {
namespace {

__global__ void unwritten(float* out) {
  SHARED(float, row, [32]);
  DYNAMIC_SHARED(float, tile);
  if (threadIdx.x == 0) {
    out[blockIdx.x] = row[5];
    out[2 + blockIdx.x] = tile[5];
  }
  __syncthreads();
  row[threadIdx.x] = tile[threadIdx.x] = 1;
}

__global__ void much() {
  SHARED(float, row, [40 << 8]);
  SHARED(float, column, [9 << 8]);
  row[threadIdx.x] = column[threadIdx.x] = 0;
}

__global__ void dynamic() {
  DYNAMIC_SHARED(float, tile);
  tile[threadIdx.x] = 0;
}

__global__ void last_block(const float* x, float* partial, unsigned* arrived, float* total) {
  SHARED(float, row, [64]);
  SHARED(bool, is_last);
  row[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) {
    float sum = 0;
    for (float value : row) sum += value;
    __stcg(&partial[blockIdx.x], sum);
    __threadfence();
    is_last = atomicAdd(arrived, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (is_last && threadIdx.x == 0) {
    float sum = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) sum += __ldcg(&partial[i]);
    *total = sum;
  }
}

__global__ void atomics(int* out) {
  const int number = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&out[0], number);
  atomicMax(&out[1], number);
  atomicMin(&out[2], number);
  atomicExch(&out[3], number);
  if (atomicCAS(&out[4], 7, 8) == 7) atomicAdd(&out[5], 1);
}

}  // namespace

void read_shared_unwritten(void* stream, float* out) {
  launch<unwritten>(2, 32, 128, stream, out);
}
void use_much_static_shared(void* stream) {
  launch<much>(1, 32, 0, stream);
}
void use_dynamic_shared(void* stream, std::size_t bytes) {
  launch<dynamic>(1, 32, bytes, stream);
}
void add_up_in_the_last_block(void* stream, unsigned blocks, const float* x, float* partial, unsigned* arrived,
                              float* total) {
  launch<last_block>(blocks, 64, 0, stream, x, partial, arrived, total);
}
void use_atomics(void* stream, int* out) {
  launch<atomics>(4, 64, 0, stream, out);
}

}  // namespace kernels::BACKEND::probe
