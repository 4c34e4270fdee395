#include "kernels/simt/tile.h"

#include <cstring>

#include "kernels/bf16.h"
#include "kernels/simt/block.h"

namespace kernels::emulated {
namespace {

using simt::Access;
using simt::Lanes;

constexpr unsigned all = ~0u;

float half(unsigned word, unsigned which) {
  return widen(Bf16{static_cast<std::uint16_t>(word >> (16 * which))});
}
void require_full(const Lanes& lanes) {
  if (lanes.mask != all) throw simt::Error("a matrix instruction needs all 32 lanes of a warp");
}
void require_aligned(const void* address, const char* what, const simt::Place& place) {
  if (reinterpret_cast<std::uintptr_t>(address) % 16 != 0)
    throw simt::Error(fmt::format("{}: {} is not at a multiple of 16 bytes", simt::text(place), what));
}

struct Product {
  FragmentC* c;
  const FragmentA* a;
  const FragmentB* b;
};
void multiply(const Lanes& lanes) {
  require_full(lanes);
  float a[16][16], b[8][16];
  lanes.each<Product>([&](unsigned lane, const Product& p) {
    const unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; ++i)
      for (unsigned h = 0; h < 2; ++h) a[g + 8 * (i % 2)][2 * t + 8 * (i / 2) + h] = half(p.a->word[i], h);
    for (unsigned i = 0; i < 2; ++i)
      for (unsigned h = 0; h < 2; ++h) b[g][2 * t + 8 * i + h] = half(p.b->word[i], h);
  });
  lanes.each<Product>([&](unsigned lane, const Product& p) {
    const unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; ++i) {
      float sum = 0;
      for (unsigned k = 0; k < 16; ++k) sum += a[g + 8 * (i / 2)][k] * b[2 * t + i % 2][k];
      p.c->value[i] += sum;
    }
  });
}

struct Load {
  unsigned* words;
  unsigned count;
  Transposed transposed;
  const Bf16* row;
};
void load(const Lanes& lanes) {
  require_full(lanes);
  lanes.each<Load>([&](unsigned lane, const Load& mine) {
    for (unsigned m = 0; m < mine.count; ++m) {
      const auto row = [&](unsigned r) { return lanes.at<Load>(8 * m + r).row; };
      const unsigned r = lane / 4, i = 2 * (lane % 4);
      const bool transposed = mine.transposed == Transposed::yes;
      const Bf16 low = transposed ? row(i)[r] : row(r)[i], high = transposed ? row(i + 1)[r] : row(r)[i + 1];
      mine.words[m] = low.bits | static_cast<unsigned>(high.bits) << 16;
    }
  });
}

}  // namespace

void mma_m16n8k16(FragmentC& c, const FragmentA& a, const FragmentB& b, simt::Place place) {
  Product mine{&c, &a, &b};
  simt::running->meet(all, &multiply, &mine, place);
}

void load_matrices(unsigned* words, unsigned count, Transposed transposed, const void* row, simt::Place place) {
  Load mine{words, count, transposed, static_cast<const Bf16*>(row)};
  if (simt::running->thread().lane() < 8 * count) {
    require_aligned(row, "a row of ldmatrix", place);
    simt::running->races().access(row, 16, Access::read, __builtin_return_address(0));
  }
  simt::running->meet(all, &load, &mine, place);
}

void cp_async_16(void* to, const void* from, Valid valid, simt::Place place) {
  require_aligned(to, "the destination of cp.async", place);
  if (valid == Valid::yes) require_aligned(from, "the source of cp.async", place);
  simt::running->thread().copies.add(to, valid == Valid::yes ? from : nullptr);
}
void cp_async_commit() {
  simt::running->thread().copies.commit();
}
void cp_async_wait_for_all_but(unsigned groups) {
  simt::running->thread().copies.wait(groups);
}

}  // namespace kernels::emulated
