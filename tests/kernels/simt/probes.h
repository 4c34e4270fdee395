// Little kernels that each do one thing, right or wrong, and the functions that launch them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/bf16.h"

namespace kernels::BACKEND::probe {

// barriers.cu
void some_threads_exit_before_a_barrier(void* stream);
void all_but_the_first_exit(void* stream);
void barriers_in_two_places(void* stream);
void half_a_warp_shuffles_half_waits(void* stream);
/// votes[block] = how many threads of a 3 x 5 x 7 block have an odd sum of indices, in a grid of 2 x 3 x 2; any and
/// all of them in the next bits.
void count_votes(void* stream, int* votes);
/// y[i] = the sum of x[0..i] of one block of `threads`.
void scan(void* stream, unsigned threads, const int* x, int* y);
void launch_with(void* stream, unsigned grid_y, unsigned threads, unsigned block_z, std::size_t shared_bytes);

// warps.cu
/// The value of the lane that each shuffle reads: out[kind * 32 + lane], kinds of read_lane, xor, up, down.
enum class Shuffle : int { read_lane, exclusive_or, up, down };
void shuffle(void* stream, Shuffle kind, int argument, int width, std::int64_t* out);
void read_outside_the_mask(void* stream);
void call_outside_the_mask(void* stream);
void name_different_masks(void* stream);
void make_different_calls(void* stream);
void name_an_exited_lane(void* stream);
void exit_while_awaited(void* stream);
/// out[0..5] of a block of 48 threads: ballot of odd lanes in either warp, any, all, sum, largest.
void vote(void* stream, unsigned* out);

// memory.cu
/// out[block] = what thread 0 reads of static, out[2 + block] of dynamic shared memory that nobody wrote in its block.
void read_shared_unwritten(void* stream, float* out);
void use_much_static_shared(void* stream);
void use_dynamic_shared(void* stream, std::size_t bytes);
/// *total = the sum of x over `blocks` blocks of 64, added by the block that comes last.
void add_up_in_the_last_block(void* stream, unsigned blocks, const float* x, float* partial, unsigned* arrived,
                              float* total);
/// out: sum, largest, smallest of 0..255; the last to exchange; how often 7 became 8.
void use_atomics(void* stream, int* out);

// tile.cu
/// c[16,8] = a[16,16] b[8,16]^T.
void multiply(void* stream, const Bf16* a, const Bf16* b, float* c);
/// words[lane * 4 + i] of ldmatrix, or of its transposed form, from the rows of 32 x 8 elements.
void load_fragments(void* stream, bool transposed, const Bf16* rows, unsigned* words);
void multiply_with_half_a_warp(void* stream);
void load_from_a_crooked_row(void* stream);
enum class Wait : int { for_all, for_all_but_one, never };
/// y[64] = two groups of 32 floats copied by cp.async, of which `valid` 16-byte pieces are, the rest zeros.
void copy_asynchronously(void* stream, Wait wait, unsigned valid, const float* x, float* y);

// races.cu
/// What a pair of accesses has between it, or does.
enum class Pair : int {
  barrier_between,
  nothing_between,
  warp_barrier_within_a_warp,
  warp_barrier_across_warps,
  shuffle_between,
  neighbouring_bytes,
  a_byte_of_a_word,
  two_blocks_add,
  two_blocks_add_atomically,
  plain_read_of_an_atomic_sum,
  two_threads_write_one_value,
  asynchronous_copy_without_barrier,
};
void access_twice(void* stream, Pair pair, float* memory);

// addresses.cu
enum class Fault : int { past_static, past_an_inner_extent, past_dynamic, past_global, misaligned };
void touch(void* stream, Fault fault, float* memory, int extent);

}  // namespace kernels::BACKEND::probe
