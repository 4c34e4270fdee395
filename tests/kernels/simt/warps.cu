#include "kernels/simt/kernel.h"
#include "tests/kernels/simt/probes.h"

namespace kernels::BACKEND::probe {
namespace {

__global__ void shuffled(Shuffle kind, int argument, int width, std::int64_t* out) {
  const std::int64_t mine = 5'000'000'000 + threadIdx.x;
  std::int64_t read = 0;
  if (kind == Shuffle::read_lane) read = __shfl_sync(~0u, mine, argument, width);
  if (kind == Shuffle::exclusive_or) read = __shfl_xor_sync(~0u, mine, argument, width);
  if (kind == Shuffle::up) read = __shfl_up_sync(~0u, mine, argument, width);
  if (kind == Shuffle::down) read = __shfl_down_sync(~0u, mine, argument, width);
  out[threadIdx.x] = read - 5'000'000'000;
}

__global__ void outside_read() {
  if (threadIdx.x < 16) __shfl_xor_sync(0xffffu, 1.0f, 16);
}

__global__ void outside_call() {
  if (threadIdx.x == 9) __syncwarp(0xffu);
}

__global__ void different_masks() {
  __any_sync(threadIdx.x < 16 ? 0xffffffffu : 0xffff0001u, 1);
}

__global__ void different_calls() {
  if (threadIdx.x < 16) {
    __any_sync(~0u, 1);
  } else {
    __any_sync(~0u, 1);
  }
}

__global__ void exited_lane(int gone) {
  if (static_cast<int>(threadIdx.x) == gone) return;
  __syncwarp();
}

__global__ void votes(unsigned* out) {
  const unsigned warp = threadIdx.x / 32;
  const bool odd = threadIdx.x % 2 == 1;
  const unsigned ballot = __ballot_sync(~0u, odd);
  const int any = __any_sync(~0u, odd), all = __all_sync(~0u, odd || threadIdx.x >= 32);
  const unsigned sum = __reduce_add_sync(~0u, threadIdx.x), largest = __reduce_max_sync(~0u, threadIdx.x);
  if (threadIdx.x % 32 != 0) return;
  unsigned* const to = out + 5 * warp;
  to[0] = ballot;
  to[1] = static_cast<unsigned>(any);
  to[2] = static_cast<unsigned>(all);
  to[3] = sum;
  to[4] = largest;
}

}  // namespace

void shuffle(void* stream, Shuffle kind, int argument, int width, std::int64_t* out) {
  launch<shuffled>(1, 32, 0, stream, kind, argument, width, out);
}
void read_outside_the_mask(void* stream) {
  launch<outside_read>(1, 32, 0, stream);
}
void call_outside_the_mask(void* stream) {
  launch<outside_call>(1, 32, 0, stream);
}
void name_different_masks(void* stream) {
  launch<different_masks>(1, 32, 0, stream);
}
void make_different_calls(void* stream) {
  launch<different_calls>(1, 32, 0, stream);
}
void name_an_exited_lane(void* stream) {
  launch<exited_lane>(1, 32, 0, stream, 0);
}
void exit_while_awaited(void* stream) {
  launch<exited_lane>(1, 32, 0, stream, 31);
}
void vote(void* stream, unsigned* out) {
  launch<votes>(1, 48, 0, stream, out);
}

}  // namespace kernels::BACKEND::probe
