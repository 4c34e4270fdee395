#include "kernels/simt/kernel.h"
#include "tests/kernels/simt/probes.h"

namespace kernels::BACKEND::probe {
namespace {

/// Two neighbours in k, from a row of 16.
__device__ unsigned pair(const Bf16* rows, unsigned row, unsigned k) {
  return *reinterpret_cast<const unsigned*>(rows + 16 * row + k);
}

__global__ void product(const Bf16* a, const Bf16* b, float* c) {
  const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
  FragmentA fa;
  FragmentB fb;
  FragmentC fc{};
  for (unsigned i = 0; i < 4; ++i) fa.word[i] = pair(a, g + 8 * (i % 2), 2 * t + 8 * (i / 2));
  for (unsigned i = 0; i < 2; ++i) fb.word[i] = pair(b, g, 2 * t + 8 * i);
  mma_m16n8k16(fc, fa, fb);
  for (unsigned i = 0; i < 4; ++i) c[8 * (g + 8 * (i / 2)) + 2 * t + i % 2] = fc.value[i];
}

__global__ void fragments(bool transposed, const Bf16* rows, unsigned* words) {
  SHARED(uint4, tile, [32]);
  tile[threadIdx.x] = reinterpret_cast<const uint4*>(rows)[threadIdx.x];
  __syncthreads();
  unsigned loaded[4];
  if (transposed) {
    ldmatrix_transposed(loaded, &tile[threadIdx.x]);
  } else {
    ldmatrix(loaded, &tile[threadIdx.x]);
  }
  for (unsigned i = 0; i < 4; ++i) words[4 * threadIdx.x + i] = loaded[i];
}

__global__ void half_a_warp() {
  FragmentA a{};
  FragmentB b{};
  FragmentC c{};
  mma_m16n8k16(c, a, b);
}

__global__ void crooked() {
  SHARED(float, row, [128]);
  unsigned words[1];
  ldmatrix(words, row + 1);
}

__global__ void copied(Wait wait, unsigned valid, const float* x, float* y) {
  DYNAMIC_SHARED(float, tile);
  for (unsigned i = threadIdx.x; i < 64; i += 8) tile[i] = -1;  // what an earlier turn of a loop has left
  __syncthreads();
  for (unsigned group = 0; group < 2; ++group) {
    const unsigned piece = group * 8 + threadIdx.x;
    cp_async_16(tile + 4 * piece, x + 4 * piece, piece < valid ? Valid::yes : Valid::no);
    cp_async_commit();
  }
  if (wait == Wait::for_all) cp_async_wait<0>();
  if (wait == Wait::for_all_but_one) cp_async_wait<1>();
  __syncthreads();
  for (unsigned i = threadIdx.x; i < 64; i += 8) y[i] = tile[i];
}

}  // namespace

void multiply(void* stream, const Bf16* a, const Bf16* b, float* c) {
  launch<product>(1, 32, 0, stream, a, b, c);
}
void load_fragments(void* stream, bool transposed, const Bf16* rows, unsigned* words) {
  launch<fragments>(1, 32, 0, stream, transposed, rows, words);
}
void multiply_with_half_a_warp(void* stream) {
  launch<half_a_warp>(1, 16, 0, stream);
}
void load_from_a_crooked_row(void* stream) {
  launch<crooked>(1, 32, 0, stream);
}
void copy_asynchronously(void* stream, Wait wait, unsigned valid, const float* x, float* y) {
  launch<copied>(1, 8, 64 * sizeof(float), stream, wait, valid, x, y);
}

}  // namespace kernels::BACKEND::probe
