#include "kernels/simt/kernel.h"
#include "tests/kernels/simt/probes.h"

namespace kernels::BACKEND::probe {
namespace {

/// Each thread writes its element of a row and reads that of a thread `apart` away.
template <Pair pair>
__global__ void neighbours(float* y, unsigned apart) {
  SHARED(float, row, [64]);
  row[threadIdx.x] = 1;
  if constexpr (pair == Pair::barrier_between) __syncthreads();
  if constexpr (pair == Pair::warp_barrier_within_a_warp || pair == Pair::warp_barrier_across_warps) __syncwarp();
  if constexpr (pair == Pair::shuffle_between) __shfl_xor_sync(~0u, 1, 1);
  y[threadIdx.x] = row[threadIdx.x ^ apart];
}

__global__ void add(float* sums) {
  sums[threadIdx.x] += 1;
}

__global__ void add_atomically(float* sums) {
  atomicAdd(&sums[threadIdx.x], 1.0f);
}

__global__ void add_and_read(float* sum) {
  atomicAdd(sum, 1.0f);
  if (threadIdx.x == 7) sum[1] = *sum;
}

__global__ void write_alike(float* value) {
  if (threadIdx.x < 2) *value = 3;
}

__global__ void copy(const float* x, float* y) {
  SHARED(uint4, row, [16]);
  if (threadIdx.x < 16) cp_async_16(&row[threadIdx.x], x + 4 * threadIdx.x);
  cp_async_commit();
  cp_async_wait<0>();
  y[threadIdx.x] = reinterpret_cast<const float*>(row)[63 - threadIdx.x];
}

__global__ void write_bytes(char* bytes) {
  bytes[threadIdx.x] = 1;
}

__global__ void read_a_byte(float* word, char* byte) {
  if (threadIdx.x == 0) *word = 3;
  if (threadIdx.x == 1) *byte = reinterpret_cast<const char*>(word)[2];
}

}  // namespace

void access_twice(void* stream, Pair pair, float* memory) {
  switch (pair) {
    case Pair::barrier_between:
      return launch<neighbours<Pair::barrier_between>>(1, 64, 0, stream, memory, 32u);
    case Pair::nothing_between:
      return launch<neighbours<Pair::nothing_between>>(1, 64, 0, stream, memory, 32u);
    case Pair::warp_barrier_within_a_warp:
      return launch<neighbours<Pair::warp_barrier_within_a_warp>>(1, 64, 0, stream, memory, 1u);
    case Pair::warp_barrier_across_warps:
      return launch<neighbours<Pair::warp_barrier_across_warps>>(1, 64, 0, stream, memory, 32u);
    case Pair::shuffle_between:
      return launch<neighbours<Pair::shuffle_between>>(1, 64, 0, stream, memory, 1u);
    case Pair::neighbouring_bytes:
      return launch<write_bytes>(1, 64, 0, stream, reinterpret_cast<char*>(memory));
    case Pair::a_byte_of_a_word:
      return launch<read_a_byte>(1, 64, 0, stream, memory, reinterpret_cast<char*>(memory + 1));
    case Pair::two_blocks_add:
      return launch<add>(2, 64, 0, stream, memory);
    case Pair::two_blocks_add_atomically:
      return launch<add_atomically>(2, 64, 0, stream, memory);
    case Pair::plain_read_of_an_atomic_sum:
      return launch<add_and_read>(1, 64, 0, stream, memory);
    case Pair::two_threads_write_one_value:
      return launch<write_alike>(1, 64, 0, stream, memory);
    case Pair::asynchronous_copy_without_barrier:
      return launch<copy>(1, 64, 0, stream, memory, memory + 64);
  }
}

}  // namespace kernels::BACKEND::probe
