#include "distributed/reducer.h"

#include <cmath>

#include "kernels/check.h"

namespace distributed {
namespace {

MicroBatches share(int micro_batches, const Communicator& communicator) {
  kernels::require(
      micro_batches >= communicator.size(),
      "training.micro_batches is {} but there are {} ranks: every rank needs one; use at most {} ranks, or "
      "more and smaller micro-batches",
      micro_batches, communicator.size(), micro_batches);
  return micro_batches_of(micro_batches, communicator.rank(), communicator.size());
}

}  // namespace

Reducer::Reducer(Communicator& communicator, kernels::Collectives& collectives, std::shared_ptr<kernels::Device> device,
                 const Parameters& parameters, const Mirrored& gradient, Reduction reduction, int micro_batches,
                 std::int64_t bucket_elements)
    : communicator_(communicator),
      collectives_(collectives),
      gradient_(gradient.device()),
      sharding_(parameters.sharding()),
      micro_batches_(micro_batches),
      own_(share(micro_batches, communicator)),
      next_(own_.begin),
      sum_([&]() -> std::variant<TreeSum, BucketSum> {
        std::vector<Bucket> buckets = make_buckets(parameters.layout(), bucket_elements);
        if (reduction == Reduction::deterministic)
          return TreeSum(communicator, collectives, device, gradient_, std::move(buckets), micro_batches);
        return BucketSum(communicator, collectives, device, gradient_, sharding_, std::move(buckets), own_.count());
      }()),
      norm_(communicator, device, gradient_) {}

std::span<const Bucket> Reducer::buckets() const {
  return std::visit([](const auto& sum) { return std::span(sum.buckets()); }, sum_);
}

void Reducer::add(int micro_batch, std::span<const double> numbers) {
  kernels::ensure(micro_batch == next_ && micro_batch < own_.end, "a rank adds its own micro-batches in order");
  ++next_;
  numbers_.insert(numbers_.end(), numbers.begin(), numbers.end());
  if (next_ == own_.end) return;  // start() takes the last one's gradient
  if (auto* const tree = std::get_if<TreeSum>(&sum_)) {
    tree->add(micro_batch);
  } else {
    std::get<BucketSum>(sum_).add();
  }
}

void Reducer::start(int bucket) {
  std::visit([bucket](auto& sum) { sum.start(bucket); }, sum_);
}

void Reducer::complete() {
  collectives_.join();
  if (auto* const tree = std::get_if<TreeSum>(&sum_)) {
    tree->finish();
    if (sharding_ == Sharding::none) {
      collectives_.start_all_gather(gradient_, shard_sizes(std::ssize(gradient_), communicator_.size()));
      collectives_.join();
    }
  }
  norm_.start();
}

void Reducer::exchange() {
  for (int bucket = 0; bucket < std::ssize(buckets()); ++bucket) start(bucket);
  complete();
}

Reducer::Sums Reducer::finish() {
  kernels::ensure(next_ == own_.end, "every micro-batch of this rank was added");
  Sums sums{.numbers = sum_numbers(), .gradient_norm = std::sqrt(norm_.finish())};
  numbers_.clear();
  next_ = own_.begin;
  return sums;
}

std::vector<double> Reducer::sum_numbers() const {
  const std::size_t per_micro_batch = numbers_.size() / own_.count();
  kernels::ensure(per_micro_batch * own_.count() == numbers_.size(), "every micro-batch brings as many numbers");
  std::vector<std::int64_t> counts;
  for (int rank = 0; rank < communicator_.size(); ++rank) {
    const std::size_t theirs = micro_batches_of(micro_batches_, rank, communicator_.size()).count();
    counts.push_back(static_cast<std::int64_t>(theirs * per_micro_batch));
  }
  std::vector<double> all(micro_batches_ * per_micro_batch);
  communicator_.all_gather(std::span<const double>(numbers_), std::span(all), counts);
  std::vector<Subtree> complete;
  for (int leaf = 0; leaf < micro_batches_; ++leaf) {
    push(complete, {0, leaf, leaf}, micro_batches_, [&](int left, int right) {
      for (std::size_t i = 0; i < per_micro_batch; ++i)
        all[left * per_micro_batch + i] += all[right * per_micro_batch + i];
      return left;
    });
  }
  all.resize(per_micro_batch);
  return all;
}

}  // namespace distributed
