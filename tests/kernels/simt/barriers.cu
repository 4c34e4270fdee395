#include "kernels/simt/kernel.h"
#include "tests/kernels/simt/probes.h"

namespace kernels::BACKEND::probe {
namespace {

__global__ void exit_above(unsigned first) {
  if (threadIdx.x >= first) return;
  __syncthreads();
}

__global__ void two_places() {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void shuffle_or_wait() {
  if (threadIdx.x % 32 < 16) {
    __shfl_down_sync(~0u, 1, 1);
  } else {
    __syncthreads();
  }
}

__global__ void count(int* votes) {
  const bool odd = (threadIdx.x + threadIdx.y + threadIdx.z) % 2 == 1;
  const int number = __syncthreads_count(odd), any = __syncthreads_or(odd), all = __syncthreads_and(odd);
  if (threadIdx.x == 2 && threadIdx.y == 4 && threadIdx.z == 6)
    votes[(blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = number + 1000 * any + 10000 * all;
}

__global__ void add_up(const int* x, int* y) {
  SHARED(int, sums, [2][1024]);
  sums[0][threadIdx.x] = x[threadIdx.x];
  int now = 0;
  for (unsigned reach = 1; reach < blockDim.x; reach *= 2, now = 1 - now) {
    __syncthreads();
    const int below = threadIdx.x < reach ? 0 : sums[now][threadIdx.x - reach];
    sums[1 - now][threadIdx.x] = sums[now][threadIdx.x] + below;
  }
  y[threadIdx.x] = sums[now][threadIdx.x];
}

__global__ void nothing() {}

}  // namespace

void some_threads_exit_before_a_barrier(void* stream) {
  launch<exit_above>(2, 64, 0, stream, 40u);
}
void all_but_the_first_exit(void* stream) {
  launch<exit_above>(1, 64, 0, stream, 1u);
}
void barriers_in_two_places(void* stream) {
  launch<two_places>(2, 64, 0, stream);
}
void half_a_warp_shuffles_half_waits(void* stream) {
  launch<shuffle_or_wait>(1, 32, 0, stream);
}
void count_votes(void* stream, int* votes) {
  launch<count>(dim3(2, 3, 2), dim3(3, 5, 7), 0, stream, votes);
}
void scan(void* stream, unsigned threads, const int* x, int* y) {
  launch<add_up>(1, threads, 0, stream, x, y);
}
void launch_with(void* stream, unsigned grid_y, unsigned threads, unsigned block_z, std::size_t shared_bytes) {
  launch<nothing>(dim3(1, grid_y), dim3(threads, 1, block_z), shared_bytes, stream);
}

}  // namespace kernels::BACKEND::probe
