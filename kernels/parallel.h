// The one OpenMP pool: loops whose iterations are independent, and a fixed division of rows for sums over an image.
#pragma once

#include <omp.h>

#include <cstdint>

namespace kernels {

/// Sets how many threads oneDNN uses from here on: made primitives, and products of matrices.
inline void use_threads(int threads) {
  omp_set_num_threads(threads);
}

/// Calls f(i) for each i in [0, count). What f computes must depend on i alone, so that the bits do not depend on
/// `threads`; for the same reason f's calls of oneDNN use one thread each.
template <typename F>
void parallel_for(int threads, std::int64_t count, const F& f) {
#pragma omp parallel num_threads(threads) if (threads > 1 && count > 1)
  {
    use_threads(1);  // a setting of this region only
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) f(i);
  }
}

/// Calls f(begin, end) for each fixed-size chunk of [0, count), in parallel.
template <typename F>
void for_each_chunk(int threads, std::int64_t count, const F& f) {
  constexpr std::int64_t chunk = 16384;
  parallel_for(threads, (count + chunk - 1) / chunk,
               [&](std::int64_t i) { f(i * chunk, (i + 1) * chunk < count ? (i + 1) * chunk : count); });
}

/// Calls f(thread, begin, end) with each thread's share of [0, count).
template <typename F>
void share(int threads, std::int64_t count, const F& f) {
  parallel_for(threads, threads, [&](std::int64_t i) { f(i, count * i / threads, count * (i + 1) / threads); });
}

/// Number of the calling thread, in [0, threads) of the parallel_for around it.
inline int thread_number() {
  return omp_get_thread_num();
}

/// The rows of an image in blocks of a fixed height: a sum over the image is the sum over its blocks, in their order,
/// for any number of threads.
struct RowBlocks {
  static constexpr std::int64_t height = 4;
  std::int64_t rows;
  std::int64_t count() const { return (rows + height - 1) / height; }
  std::int64_t begin(std::int64_t block) const { return block * height; }
  std::int64_t end(std::int64_t block) const { return begin(block) + height < rows ? begin(block) + height : rows; }
};

}  // namespace kernels
