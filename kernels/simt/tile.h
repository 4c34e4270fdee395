// Tensor core instructions and the loads that feed them.
#pragma once

#include "kernels/simt/fragments.h"
#include "kernels/simt/place.h"

namespace kernels::emulated {

/// c += a b^T, by a full warp.
void mma_m16n8k16(FragmentC& c, const FragmentA& a, const FragmentB& b, simt::Place place = simt::Place::current());

enum class Transposed : bool { no, yes };
void load_matrices(unsigned* words, unsigned count, Transposed transposed, const void* row, simt::Place place);

/// `count` (1, 2 or 4) matrices of 8x8 bfloat16 in shared memory, by a full warp. Lane 8m + r says where row r of
/// matrix m lies, at a multiple of 16 bytes; lane 4r + i receives its elements 2i and 2i + 1 in words[m].
template <unsigned count>
void ldmatrix(unsigned (&words)[count], const void* row, simt::Place place = simt::Place::current()) {
  load_matrices(words, count, Transposed::no, row, place);
}
/// The same of the transposed matrices: lane 4r + i receives elements r of rows 2i and 2i + 1.
template <unsigned count>
void ldmatrix_transposed(unsigned (&words)[count], const void* row, simt::Place place = simt::Place::current()) {
  load_matrices(words, count, Transposed::yes, row, place);
}

/// 16 bytes of global memory to shared memory, zeros where not valid; they are there after their group's wait and, for
/// other threads, a barrier.
void cp_async_16(void* to, const void* from, Valid valid = Valid::yes, simt::Place place = simt::Place::current());
/// Ends a group of copies.
void cp_async_commit();
void cp_async_wait_for_all_but(unsigned groups);
template <unsigned groups>
void cp_async_wait() {
  cp_async_wait_for_all_but(groups);
}

}  // namespace kernels::emulated
