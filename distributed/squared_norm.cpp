#include "distributed/squared_norm.h"

#include <algorithm>
#include <array>
#include <vector>

#include "distributed/parameters.h"

namespace distributed {
namespace {

constexpr std::int64_t chunk_elements = std::int64_t{64} * 1024;

// A run of elements inside one chunk that one rank owns. Whole chunks are sent as one number, cut ones as their blocks.
struct Part {
  Range range;
  bool is_whole, ends_chunk;
  std::int64_t numbers() const { return is_whole ? 1 : range.size() / alignment; }
};

std::vector<Part> parts_of(Range shard, std::int64_t total) {
  std::vector<Part> parts;
  for (std::int64_t begin = shard.begin; begin < shard.end;) {
    const std::int64_t chunk_begin = begin / chunk_elements * chunk_elements,
                       chunk_end = std::min(chunk_begin + chunk_elements, total);
    const Range range{begin, std::min(chunk_end, shard.end)};
    const bool ends_chunk = range.end == chunk_end;
    parts.push_back({range, ends_chunk && begin == chunk_begin, ends_chunk});
    begin = range.end;
  }
  return parts;
}

std::int64_t count_numbers(std::span<const Part> parts) {
  std::int64_t count = 0;
  for (const Part& part : parts) count += part.numbers();
  return count;
}

double block_sum(std::span<const float> block) {
  constexpr int lanes = 8;
  std::array<double, lanes> sums{};
  for (std::size_t i = 0; i < block.size(); i += lanes) {
    for (int lane = 0; lane < lanes; ++lane) sums[lane] += static_cast<double>(block[i + lane]) * block[i + lane];
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// One number of the whole chunk, or one a block of a cut one.
void sum_part(std::span<const float> flat, const Part& part, std::span<double> numbers) {
  double sum = 0;
  for (std::int64_t begin = part.range.begin; begin < part.range.end; begin += alignment) {
    const double block = block_sum(flat.subspan(begin, alignment));
    sum += block;
    if (!part.is_whole) numbers[(begin - part.range.begin) / alignment] = block;
  }
  if (part.is_whole) numbers[0] = sum;
}

}  // namespace

double squared_norm(Communicator& communicator, std::span<const float> flat) {
  const std::int64_t total = std::ssize(flat);
  std::vector<std::vector<Part>> parts;
  std::vector<std::int64_t> counts;
  for (int rank = 0; rank < communicator.size(); ++rank) {
    parts.push_back(parts_of(shard_range(total, rank, communicator.size()), total));
    counts.push_back(count_numbers(parts.back()));
  }
  const std::vector<Part>& own = parts[communicator.rank()];
  std::vector<std::int64_t> offsets{0};
  for (const Part& part : own) offsets.push_back(offsets.back() + part.numbers());
  std::vector<double> mine(offsets.back());
#pragma omp parallel for
  for (std::size_t i = 0; i < own.size(); ++i) {
    sum_part(flat, own[i], std::span(mine).subspan(offsets[i], own[i].numbers()));
  }

  std::int64_t numbers = 0;
  for (const std::int64_t count : counts) numbers += count;
  std::vector<double> all(numbers);
  communicator.all_gather(std::span<const double>(mine), std::span(all), counts);
  double sum = 0, chunk = 0;
  auto next = all.begin();
  for (const auto& of_rank : parts) {
    for (const Part& part : of_rank) {
      for (std::int64_t i = 0; i < part.numbers(); ++i) chunk += *next++;
      if (!part.ends_chunk) continue;
      sum += chunk;
      chunk = 0;
    }
  }
  return sum;
}

}  // namespace distributed
