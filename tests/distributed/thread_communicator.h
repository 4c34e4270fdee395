// Ranks as threads of one process, so that tests need no launcher for any number of them.
#pragma once

#include <algorithm>
#include <barrier>
#include <cstring>
#include <exception>
#include <thread>
#include <vector>

#include "distributed/communicator.h"

namespace distributed::testing {

/// What the ranks show each other between two barriers.
struct Meeting {
  explicit Meeting(int size) : barrier(size), shown(size), counts(size) {}
  std::barrier<> barrier;
  std::vector<const void*> shown;
  std::vector<std::vector<std::int64_t>> counts;
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(Meeting& meeting, int rank, int size) : meeting_(meeting), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& node() const override { return node_; }

  void start_all_to_all(const kernels::Pieces<const float>& send, const kernels::Pieces<float>& receive,
                        Place) override {
    show(&send);
    for (int from = 0; from < size_; ++from) {
      const auto& theirs = *static_cast<const kernels::Pieces<const float>*>(meeting_.shown[from]);
      if (theirs.counts.at(rank_) != receive.counts.at(from)) throw std::logic_error("sent and received counts differ");
      std::ranges::copy(theirs.values.subspan(theirs.offsets[rank_], theirs.counts[rank_]),
                        receive.values.subspan(receive.offsets[from], receive.counts[from]).begin());
    }
    leave();
  }
  void barrier(Place) override { leave(); }
  void start_all_reduce(std::span<float> values, Place place) override { all_reduce(values, Combine::sum, place); }
  void start_reduce(std::span<float> values, int root, Place place) override {
    std::vector<float> sum(values.begin(), values.end());
    all_reduce(std::span(sum), Combine::sum, place);
    if (rank_ == root) std::ranges::copy(sum, values.begin());
  }
  void progress(Place) override {}
  void wait(Place) override {}
  void abort(int status) override { std::exit(status); }
  void finish(Place) override {}

 protected:
  void reduce_buffer(Buffer values, Combine how, Place) override {
    if (values.type == Type::float64) reduce<double>(values, how);
    if (values.type == Type::float32) reduce<float>(values, how);
    if (values.type == Type::int64) reduce<std::int64_t>(values, how);
  }
  void broadcast_buffer(Buffer values, int root, Place) override {
    show(values.data);
    if (rank_ != root && values.count > 0) std::memcpy(values.data, meeting_.shown[root], values.count * bytes(values));
    leave();
  }
  void all_gather_buffer(Buffer mine, Buffer all, std::span<const std::int64_t> counts, Place) override {
    const std::vector<char> copy(static_cast<char*>(mine.data),
                                 static_cast<char*>(mine.data) + mine.count * bytes(mine));
    show(copy.data());
    char* to = static_cast<char*>(all.data);
    for (int from = 0; from < size_; ++from) {
      if (counts[from] > 0) std::memcpy(to, meeting_.shown[from], counts[from] * bytes(all));
      to += counts[from] * bytes(all);
    }
    leave();
  }

 private:
  static std::size_t bytes(const Buffer& buffer) {
    return buffer.type == Type::character ? 1 : buffer.type == Type::float32 ? 4 : 8;
  }
  void show(const void* data) {
    meeting_.shown[rank_] = data;
    meeting_.barrier.arrive_and_wait();
  }
  void leave() { meeting_.barrier.arrive_and_wait(); }

  template <typename T>
  void reduce(Buffer values, Combine how) {
    std::vector<T> result(values.count);
    show(values.data);
    for (int from = 0; from < size_; ++from) {
      const T* const theirs = static_cast<const T*>(meeting_.shown[from]);
      for (std::size_t i = 0; i < result.size(); ++i) {
        if (from == 0)
          result[i] = theirs[i];
        else if (how == Combine::sum)
          result[i] += theirs[i];
        else
          result[i] = how == Combine::min ? std::min(result[i], theirs[i]) : std::max(result[i], theirs[i]);
      }
    }
    leave();
    std::ranges::copy(result, static_cast<T*>(values.data));
    leave();
  }

  Meeting& meeting_;
  int rank_, size_;
  std::string node_ = "here";
};

/// Runs `work(Communicator&)` on `ranks` threads. Throws what the first failing rank threw; a rank that throws alone
/// leaves the others to meet without it.
template <typename Work>
void on_ranks(int ranks, Work work) {
  Meeting meeting(ranks);
  std::vector<std::exception_ptr> errors(ranks);
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < ranks; ++rank) {
      threads.emplace_back([&, rank] {
        ThreadCommunicator communicator(meeting, rank, ranks);
        try {
          work(static_cast<Communicator&>(communicator));
        } catch (...) {
          errors[rank] = std::current_exception();
          meeting.barrier.arrive_and_drop();
        }
      });
    }
  }
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace distributed::testing
