// The ranks of one MPI job. The only file that knows MPI.
#include <mpi.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <deque>
#include <numeric>
#include <utility>

#include "distributed/communicator.h"
#include "kernels/check.h"

namespace distributed {
namespace {

// MPI counts elements in an int; longer vectors are sent in pieces of this many.
constexpr std::int64_t largest_piece = std::int64_t{1} << 30;

MPI_Op operation(Combine how) {
  return how == Combine::sum ? MPI_SUM : how == Combine::min ? MPI_MIN : MPI_MAX;
}

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(Place place) {
    int provided = MPI_THREAD_SINGLE;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread", place);
    check(MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler", place);
    check(MPI_Comm_rank(world_, &rank_), "MPI_Comm_rank", place);
    check(MPI_Comm_size(world_, &size_), "MPI_Comm_size", place);
    std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
    int length = 0;
    check(MPI_Get_processor_name(name.data(), &length), "MPI_Get_processor_name", place);
    node_.assign(name.data(), length);
    check(MPI_Comm_dup(world_, &roll_call_), "MPI_Comm_dup", place);
    nodes_ = all_gather(node_, place);
    kernels::require(provided >= MPI_THREAD_FUNNELED,
                     "This MPI library cannot be used from a program with threads: use one built with "
                     "MPI_THREAD_FUNNELED");
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& node() const override { return node_; }

  void barrier(Place place) override {
    run("barrier", place, [&](MPI_Request* request) { return MPI_Ibarrier(world_, request); });
  }

  void start_all_reduce(std::span<float> values, Place place) override {
    for_pieces(std::ssize(values), [&](std::int64_t begin, int count) {
      check(MPI_Iallreduce(MPI_IN_PLACE, values.data() + begin, count, MPI_FLOAT, MPI_SUM, world_, &started()),
            "non-blocking all-reduce", place);
    });
  }

  void start_reduce(std::span<float> values, int root, Place place) override {
    for_pieces(std::ssize(values), [&](std::int64_t begin, int count) {
      float* const data = values.data() + begin;
      const void* const send = rank_ == root ? MPI_IN_PLACE : data;
      check(MPI_Ireduce(send, data, count, MPI_FLOAT, MPI_SUM, root, world_, &started()), "non-blocking reduce", place);
    });
  }

  void start_all_to_all(const kernels::Pieces<const float>& send, const kernels::Pieces<float>& receive,
                        Place place) override {
    const auto kept = [&](const std::vector<std::int64_t>& numbers) {  // MPI reads them until the exchange is complete
      return numbers_.emplace_back(narrow(numbers, place)).data();
    };
    check(MPI_Ialltoallv(send.values.data(), kept(send.counts), kept(send.offsets), MPI_FLOAT, receive.values.data(),
                         kept(receive.counts), kept(receive.offsets), MPI_FLOAT, world_, &started()),
          "non-blocking all-to-all", place);
  }

  void progress(Place place) override {
    if (requests_.empty()) return;
    int completed = 0;
    indices_.resize(requests_.size());
    check(MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &completed, indices_.data(),
                       MPI_STATUSES_IGNORE),
          "progress of non-blocking collectives", place);
    if (completed != 0) std::erase(requests_, MPI_REQUEST_NULL);
  }

  void wait(Place place) override {
    complete(requests_, "non-blocking collectives", place);
    requests_.clear();
    numbers_.clear();
  }

  void set_patience(double seconds) override { patience_ = seconds; }

  // Whoever waits long says so to rank 0, which therefore knows who does not. It ends the run before the patience of
  // the others does.
  void waiting(double seconds, const char* what, Place place) override {
    if (patience_ == 0 || seconds < std::min(patience_ / 2, 5.0)) return;
    if (rank_ != 0) {
      if (std::exchange(said_, calls_) != calls_)
        check(MPI_Send(&calls_, 1, MPI_INT64_T, 0, 0, roll_call_), "a message to rank 0", place);
      if (seconds > 3 * patience_) throw_missing(seconds, {0}, what, place);
      return;
    }
    if (seconds < patience_) return;
    std::vector<int> missing;
    for (int rank = 1; rank < size_; ++rank)
      if (!said_to_wait(rank, place)) missing.push_back(rank);
    if (!missing.empty() || seconds > 2 * patience_) throw_missing(seconds, missing, what, place);
  }

  void abort(int status) override {
    MPI_Abort(world_, status);
    std::abort();
  }

  void finish(Place place) override {
    barrier(place);
    check(MPI_Comm_free(&roll_call_), "MPI_Comm_free", place);
    check(MPI_Finalize(), "MPI_Finalize", place);
  }

 protected:
  void reduce_buffer(Buffer values, Combine how, Place place) override {
    for_pieces(values.count, [&](std::int64_t begin, int count) {
      run("all-reduce", place, [&](MPI_Request* request) {
        return MPI_Iallreduce(MPI_IN_PLACE, at(values, begin), count, type(values), operation(how), world_, request);
      });
    });
  }

  void broadcast_buffer(Buffer values, int root, Place place) override {
    for_pieces(values.count, [&](std::int64_t begin, int count) {
      run("broadcast", place, [&](MPI_Request* request) {
        return MPI_Ibcast(at(values, begin), count, type(values), root, world_, request);
      });
    });
  }

  void all_gather_buffer(Buffer mine, Buffer all, std::span<const std::int64_t> counts, Place place) override {
    kernels::ensure(std::ssize(counts) == size_ && counts[rank_] == mine.count, "every rank knows every piece", place);
    std::vector<std::int64_t> offsets(size_);
    std::exclusive_scan(counts.begin(), counts.end(), offsets.begin(), std::int64_t{0});
    kernels::ensure(offsets.back() + counts.back() == all.count, "pieces fill the whole", place);
    const void* const send = mine.data == at(all, offsets[rank_]) ? MPI_IN_PLACE : mine.data;
    const std::vector<int> mpi_counts = narrow(counts, place), mpi_offsets = narrow(offsets, place);
    run("all-gather", place, [&](MPI_Request* request) {
      return MPI_Iallgatherv(send, static_cast<int>(mine.count), type(mine), all.data, mpi_counts.data(),
                             mpi_offsets.data(), type(all), world_, request);
    });
  }

 private:
  void check(int result, const char* what, Place place) const {
    if (result == MPI_SUCCESS) return;
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(result, text.data(), &length);
    throw kernels::RunError(fmt::format("{}: {} failed: {} ({}:{})", name(), what,
                                        std::string_view(text.data(), length), place.file_name(), place.line()),
                            1);
  }

  /// Starts a collective and returns when it is complete. MPI's own blocking calls would wait for a rank that is
  /// missing for ever.
  template <typename Start>
  void run(const char* what, Place place, const Start& start) {
    std::vector<MPI_Request> request(1);
    check(start(request.data()), what, place);
    complete(request, what, place);
  }

  void complete(std::vector<MPI_Request>& requests, const char* what, Place place) {
    using Clock = std::chrono::steady_clock;
    ++calls_;
    const Clock::time_point begin = Clock::now();
    for (int done = 0;;) {
      check(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE), what, place);
      if (done) return;
      waiting(std::chrono::duration<double>(Clock::now() - begin).count(), what, place);
    }
  }

  /// Whether the rank has said that it waits in the same call as this one.
  bool said_to_wait(int rank, Place place) {
    told_.resize(size_);
    for (int there = 0;;) {
      check(MPI_Iprobe(rank, 0, roll_call_, &there, MPI_STATUS_IGNORE), "a message of a rank", place);
      if (!there) return told_[rank] == calls_;
      check(MPI_Recv(&told_[rank], 1, MPI_INT64_T, rank, 0, roll_call_, MPI_STATUS_IGNORE), "a message of a rank",
            place);
    }
  }

  [[noreturn]] void throw_missing(double seconds, const std::vector<int>& ranks, const char* what, Place place) const {
    std::vector<std::string> names;
    for (const int rank : ranks) names.push_back(fmt::format("rank {} on {}", rank, nodes_[rank]));
    throw kernels::RunError(
        fmt::format(
            "{}: waited {:.0f} s for {} in {} ({}:{}): {}, or is slower than --rank-timeout allows", name(), seconds,
            ranks.empty() ? "what the ranks send each other" : fmt::format("{}", fmt::join(names, ", ")), what,
            place.file_name(), place.line(), ranks.empty() ? "every rank waits, so the network hangs" : "it hangs"),
        exit_rank_missing);
  }

  std::vector<int> narrow(std::span<const std::int64_t> counts, Place place) const {
    for (const std::int64_t count : counts) {
      kernels::ensure(count >= 0 && count <= INT_MAX, "one exchange moves fewer than 2^31 elements", place);
    }
    return {counts.begin(), counts.end()};
  }

  static MPI_Datatype type(const Buffer& buffer) {
    return std::array<MPI_Datatype, 4>{MPI_DOUBLE, MPI_FLOAT, MPI_INT64_T, MPI_CHAR}[static_cast<int>(buffer.type)];
  }
  static char* at(const Buffer& buffer, std::int64_t index) {
    constexpr std::array<std::int64_t, 4> bytes{8, 4, 8, 1};
    return static_cast<char*>(buffer.data) + index * bytes[static_cast<int>(buffer.type)];
  }
  template <typename Work>
  static void for_pieces(std::int64_t count, Work work) {
    for (std::int64_t begin = 0; begin < count; begin += largest_piece) {
      work(begin, static_cast<int>(std::min(largest_piece, count - begin)));
    }
  }
  MPI_Request& started() { return requests_.emplace_back(MPI_REQUEST_NULL); }

  MPI_Comm world_ = MPI_COMM_WORLD, roll_call_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  std::string node_;
  std::vector<std::string> nodes_;  // of all ranks
  double patience_ = 0;
  std::int64_t calls_ = 0, said_ = 0;  // collective calls so far; the one of which rank 0 was told that we wait in it
  std::vector<std::int64_t> told_;     // of rank 0: the call in which each rank last said that it waits
  std::vector<MPI_Request> requests_;
  std::vector<int> indices_;
  std::deque<std::vector<int>> numbers_;  // of exchanges under way
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator() {
  return std::make_unique<MpiCommunicator>(Communicator::Place::current());
}

}  // namespace distributed
