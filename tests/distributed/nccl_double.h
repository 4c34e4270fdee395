// NCCL for ranks that are threads of one process: does in the host's memory what the calls say, notes them, and insists
// that all ranks mean the same.
#pragma once

#include <barrier>
#include <cstring>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "kernels/nccl.h"

namespace distributed::testing {

class NcclDouble {
 public:
  explicit NcclDouble(int ranks) : barrier_(ranks), groups_(ranks), notes_(ranks) {}

  /// What a rank takes for libnccl.so.2. Its comm is the address of its number.
  kernels::nccl::Calls calls(int rank);
  /// The calls of a rank, one group after another: "all_reduce 64; all_reduce 128".
  const std::vector<std::string>& notes(int rank) const { return notes_.at(rank); }

 private:
  enum class Kind { all_reduce, reduce, broadcast, send, receive };
  struct Call {
    Kind kind;
    const float* from;
    float* to;
    std::size_t count;
    int peer;  // the root, or whom a message goes to or comes from
    kernels::nccl::Stream stream;
  };
  using Group = std::vector<Call>;

  static std::string name(const Call& call) {
    static constexpr const char* names[] = {"all_reduce", "reduce", "broadcast", "send", "receive"};
    return fmt::format("{} {}{}", names[static_cast<int>(call.kind)], call.count,
                       call.kind == Kind::all_reduce ? "" : fmt::format(" rank {}", call.peer));
  }
  static bool is_message(const Call& call) { return call.kind == Kind::send || call.kind == Kind::receive; }
  void note(int rank, const Call& call) { groups_[rank].push_back(call); }
  void run_group(int rank);
  /// The number-th message from one rank to another; throws where there is none of this size.
  const Call& message(int from, int to, int number, std::size_t count) const;
  std::vector<float> result(int rank, std::size_t call, std::vector<int>& received) const;

  std::barrier<> barrier_;
  std::vector<Group> groups_;  // under way, by rank
  std::vector<std::vector<std::string>> notes_;
};

inline kernels::nccl::Calls NcclDouble::calls(int rank) {
  using namespace kernels::nccl;
  Calls calls;
  const auto floats = [](const void* data) { return static_cast<const float*>(data); };
  const auto add = [this, rank](Call call) {
    note(rank, call);
    return success;
  };
  calls.get_version = [](int* version) {
    *version = 22809;
    return success;
  };
  calls.get_unique_id = [](UniqueId* id) {
    std::strcpy(id->internal, "the double's");
    return success;
  };
  calls.init_rank = [rank](Comm* comm, int, UniqueId id, int own) {
    if (own != rank || std::string(id.internal) != "the double's") return Result{5};
    *comm = new int(rank);
    return success;
  };
  calls.abort = [](Comm comm) {
    delete static_cast<int*>(comm);
    return success;
  };
  calls.get_async_error = [](Comm, Result* result) {
    *result = success;
    return success;
  };
  calls.error_text = [](Result) { return "an error of the double"; };
  calls.last_error = [](Comm) { return ""; };
  calls.group_start = [] { return success; };
  calls.group_end = [this, rank] {
    run_group(rank);
    return success;
  };
  calls.all_reduce = [=](const void* from, void* to, std::size_t n, DataType, Operation, Comm, Stream stream) {
    return add({Kind::all_reduce, floats(from), static_cast<float*>(to), n, 0, stream});
  };
  calls.reduce = [=](const void* from, void* to, std::size_t n, DataType, Operation, int root, Comm, Stream stream) {
    return add({Kind::reduce, floats(from), static_cast<float*>(to), n, root, stream});
  };
  calls.broadcast = [=](const void* from, void* to, std::size_t n, DataType, int root, Comm, Stream stream) {
    return add({Kind::broadcast, floats(from), static_cast<float*>(to), n, root, stream});
  };
  calls.send = [=](const void* from, std::size_t n, DataType, int peer, Comm, Stream stream) {
    return add({Kind::send, floats(from), nullptr, n, peer, stream});
  };
  calls.receive = [=](void* to, std::size_t n, DataType, int peer, Comm, Stream stream) {
    return add({Kind::receive, nullptr, static_cast<float*>(to), n, peer, stream});
  };
  return calls;
}

inline void NcclDouble::run_group(int rank) {
  barrier_.arrive_and_wait();
  const Group& own = groups_[rank];
  std::string text;
  for (const Call& call : own) text += (text.empty() ? "" : "; ") + name(call);
  notes_[rank].push_back(text);
  std::vector<std::vector<float>> results;
  std::vector<int> received(groups_.size());  // messages from each rank so far
  for (std::size_t i = 0; i < own.size(); ++i) results.push_back(result(rank, i, received));
  barrier_.arrive_and_wait();
  for (std::size_t i = 0; i < own.size(); ++i)
    if (!results[i].empty()) std::ranges::copy(results[i], own[i].to);
  groups_[rank].clear();
  barrier_.arrive_and_wait();
}

inline const NcclDouble::Call& NcclDouble::message(int from, int to, int number, std::size_t count) const {
  for (const Call& call : groups_[from]) {
    if (call.kind != Kind::send || call.peer != to || number-- > 0) continue;
    if (call.count != count)
      throw std::logic_error(fmt::format("{} at rank {}, received as {}", name(call), from, count));
    return call;
  }
  throw std::logic_error(fmt::format("rank {} receives {} from rank {}, which sends nothing", to, count, from));
}

inline std::vector<float> NcclDouble::result(int rank, std::size_t at, std::vector<int>& received) const {
  const Call& call = groups_[rank][at];
  if (call.kind == Kind::send) return {};
  std::vector<float> values(call.count);
  if (call.kind == Kind::receive) {
    const Call& sent = message(call.peer, rank, received[call.peer]++, call.count);
    values.assign(sent.from, sent.from + call.count);
    return values;
  }
  for (int from = 0; from < std::ssize(groups_); ++from) {
    if (at >= groups_[from].size() || name(groups_[from][at]) != name(call))
      throw std::logic_error(fmt::format("{} at rank {} meets {} at rank {}", name(call), rank,
                                         at < groups_[from].size() ? name(groups_[from][at]) : "nothing", from));
    const Call& theirs = groups_[from][at];
    for (std::size_t i = 0; i < call.count; ++i) {
      if (call.kind != Kind::broadcast)
        values[i] += theirs.from[i];
      else if (from == call.peer)
        values[i] = theirs.from[i];
    }
  }
  return call.kind == Kind::reduce && rank != call.peer ? std::vector<float>() : values;
}

}  // namespace distributed::testing
