#include "distributed/squared_norm.h"

#include <numeric>
#include <utility>

namespace distributed {

using kernels::SquareSums;

SquaredNorm::SquaredNorm(Communicator& communicator, std::shared_ptr<kernels::Device> device, std::span<float> flat)
    : communicator_(communicator), device_(std::move(device)), total_(std::ssize(flat)) {
  for (int rank = 0; rank < communicator.size(); ++rank) {
    const Range shard = shard_range(total_, rank, communicator.size());
    counts_.push_back(kernels::square_numbers(shard.begin, shard.end, total_));
  }
  const Range own = shard_range(total_, communicator.rank(), communicator.size());
  const std::int64_t count = counts_[communicator.rank()];
  numbers_ = device_->allocate(count * sizeof(double), "the norm of the gradient");
  base_ = {reinterpret_cast<std::byte*>(own.of(flat).data()), numbers_.get()};
  const kernels::Tensor values{.id = 0, .shape = {own.size()}},
      numbers{.id = 1, .element = kernels::Element::f64, .shape = {count}};
  step_ = device_->prepare(SquareSums{.values = values, .numbers = numbers, .begin = own.begin, .total = total_}, {});
}

double SquaredNorm::finish() const {
  std::vector<double> mine(counts_[communicator_.rank()]),
      all(std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0}));
  device_->read(std::as_writable_bytes(std::span(mine)), numbers_.get());
  communicator_.all_gather(std::span<const double>(mine), std::span(all), counts_);
  double sum = 0, chunk = 0;
  auto next = all.begin();
  for (int rank = 0; rank < communicator_.size(); ++rank) {
    const Range shard = shard_range(total_, rank, communicator_.size());
    for (std::int64_t at = shard.begin; at < shard.end;) {
      const kernels::SquarePart part = kernels::first_square_part(at, shard.end, total_);
      for (std::int64_t i = 0; i < part.numbers(); ++i) chunk += *next++;
      if (part.ends_chunk) sum += std::exchange(chunk, 0);
      at = part.end;
    }
  }
  return sum;
}

}  // namespace distributed
