// What ranks do together with floats where their devices have them: sums and exchanges of gradients and weights.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/check.h"

namespace kernels {

/// What a rank sends to, or receives from, each rank: `counts[r]` floats at `offsets[r]` of `values`.
template <typename T>
struct Pieces {
  std::span<T> values;
  std::vector<std::int64_t> counts, offsets;
};

/// Calls work(piece, rank) for each of the consecutive pieces of `values`, of `counts[rank]` floats, that is not empty.
template <typename Work>
void each_piece(std::span<float> values, std::span<const std::int64_t> counts, const Work& work) {
  std::size_t begin = 0;
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    const auto count = static_cast<std::size_t>(counts[rank]);
    if (count > 0) work(values.subspan(begin, count), static_cast<int>(rank));
    begin += count;
  }
  ensure(begin == values.size(), "pieces fill the whole");
}

/// Every call but name() and progress() is collective: all ranks make the same calls in the same order. What a call
/// starts waits for all that the device was told before, runs beside what the device is told next, and is done before
/// what it is told after join(). What it reads and writes must stay untouched until then. A failed call throws
/// RunError.
class Collectives {
 public:
  virtual ~Collectives() = default;
  /// How they are done, such as "NCCL 2.28.9".
  virtual std::string name() const = 0;
  /// Whether calls may be made in the midst of a program, and are done again by what Device::capture gives.
  virtual bool within_programs() const = 0;

  /// The sum over the ranks, in place. The order of the additions depends on the number of ranks.
  virtual void start_all_reduce(std::span<float> values) = 0;
  /// The same of consecutive pieces of `values`, `counts[r]` floats of which rank r gets the sum; the others keep
  /// theirs.
  virtual void start_reduce_scatter(std::span<float> values, std::span<const std::int64_t> counts) = 0;
  /// Of such pieces, every rank gives its own to all, in place.
  virtual void start_all_gather(std::span<float> values, std::span<const std::int64_t> counts) = 0;
  virtual void start_all_to_all(const Pieces<const float>& send, const Pieces<float>& receive) = 0;

  /// To be called often: lets messages move, and throws where one failed.
  virtual void progress() = 0;
  virtual void join() = 0;
};

}  // namespace kernels
