#include "distributed/reducer.h"

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

std::variant<TreeSum, BucketSum> make_sum(Communicator& communicator, const Parameters& parameters, Reduction reduction,
                                          int micro_batches, int own_count, std::int64_t bucket_elements) {
  if (reduction == Reduction::deterministic) return TreeSum(communicator, parameters.gradient(), micro_batches);
  return BucketSum(communicator, parameters.gradient(), parameters.sharding(),
                   make_buckets(parameters.layout(), bucket_elements), own_count);
}

}  // namespace

Reducer::Reducer(Communicator& communicator, Parameters& parameters, Reduction reduction, int micro_batches,
                 std::int64_t bucket_elements)
    : communicator_(communicator),
      parameters_(parameters),
      micro_batches_(micro_batches),
      own_(share(micro_batches, communicator)),
      next_(own_.begin),
      sum_(make_sum(communicator, parameters, reduction, micro_batches, own_.count(), bucket_elements)) {}

std::span<const Bucket> Reducer::buckets() const {
  const auto* const buckets = std::get_if<BucketSum>(&sum_);
  return buckets ? std::span(buckets->buckets()) : std::span<const Bucket>();
}

void Reducer::bucket_ready(int bucket) {
  if (auto* const buckets = std::get_if<BucketSum>(&sum_)) buckets->bucket_ready(bucket);
}

void Reducer::progress() {
  communicator_.progress();
}

void Reducer::add(int micro_batch, std::span<const double> numbers) {
  kernels::ensure(micro_batch == next_ && micro_batch < own_.end, "a rank adds its own micro-batches in order");
  ++next_;
  numbers_.insert(numbers_.end(), numbers.begin(), numbers.end());
  if (auto* const tree = std::get_if<TreeSum>(&sum_)) {
    tree->add(micro_batch);
  } else {
    std::get<BucketSum>(sum_).add();
  }
}

std::vector<double> Reducer::finish() {
  kernels::ensure(next_ == own_.end, "every micro-batch of this rank was added");
  if (auto* const tree = std::get_if<TreeSum>(&sum_)) {
    tree->finish();
    if (parameters_.sharding() == Sharding::none) gather_shards(communicator_, parameters_.gradient());
  } else {
    std::get<BucketSum>(sum_).finish();
  }
  std::vector<double> sums = sum_numbers();
  numbers_.clear();
  next_ = own_.begin;
  return sums;
}

std::int64_t Reducer::bytes() const {
  return std::visit([](const auto& sum) { return sum.bytes(); }, sum_);
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
