#include "kernels/nccl.h"

#include <dlfcn.h>

#include <utility>

namespace kernels::nccl {
namespace {

class NcclCollectives final : public Collectives {
 public:
  NcclCollectives(Calls calls, std::shared_ptr<Device> device, const UniqueId& id, int rank, int size,
                  std::function<void(double seconds)> waiting)
      : calls_(std::move(calls)), device_(std::move(device)), side_(device_->side_stream()), rank_(rank) {
    ensure(side_ != nullptr, "NCCL's work has a stream of its own");
    check(calls_.init_rank(&comm_, size, id, rank), "joining the ranks");
    int version = 0;
    check(calls_.get_version(&version), "asking for NCCL's version");
    name_ = fmt::format("NCCL {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
    device_->while_waiting([this, waiting = std::move(waiting)](double seconds) {
      progress();
      waiting(seconds);
    });
  }
  NcclCollectives(const NcclCollectives&) = delete;
  /// What is still under way is of a run that failed.
  ~NcclCollectives() override {
    device_->while_waiting({});
    calls_.abort(comm_);
  }

  std::string name() const override { return name_; }
  bool within_programs() const override { return true; }

  void start_all_reduce(std::span<float> values) override {
    start("all-reduce", [&] {
      check(calls_.all_reduce(values.data(), values.data(), values.size(), DataType::float32, Operation::sum, comm_,
                              side_->handle()),
            "all-reduce");
    });
  }

  // NCCL's own reduce-scatter and all-gather are of pieces of one size. These move as many bytes.
  void start_reduce_scatter(std::span<float> values, std::span<const std::int64_t> counts) override {
    start("reduce-scatter", [&] {
      each_piece(values, counts, [&](std::span<float> piece, int rank) {
        check(calls_.reduce(piece.data(), piece.data(), piece.size(), DataType::float32, Operation::sum, rank, comm_,
                            side_->handle()),
              "reduce-scatter");
      });
    });
  }
  void start_all_gather(std::span<float> values, std::span<const std::int64_t> counts) override {
    start("all-gather", [&] {
      each_piece(values, counts, [&](std::span<float> piece, int rank) {
        check(
            calls_.broadcast(piece.data(), piece.data(), piece.size(), DataType::float32, rank, comm_, side_->handle()),
            "all-gather");
      });
    });
  }

  void start_all_to_all(const Pieces<const float>& send, const Pieces<float>& receive) override {
    start("all-to-all", [&] {
      for (std::size_t r = 0; r < send.counts.size(); ++r) {
        const auto peer = static_cast<int>(r);
        const auto out = static_cast<std::size_t>(send.counts[r]), in = static_cast<std::size_t>(receive.counts[r]);
        if (out > 0)
          check(calls_.send(send.values.data() + send.offsets[r], out, DataType::float32, peer, comm_, side_->handle()),
                "sending to a rank");
        if (in > 0)
          check(calls_.receive(receive.values.data() + receive.offsets[r], in, DataType::float32, peer, comm_,
                               side_->handle()),
                "receiving from a rank");
      }
    });
  }

  void progress() override {
    Result result = success;
    check(calls_.get_async_error(comm_, &result), "asking for errors");
    check(result, "what was started before");
  }
  void join() override {
    if (std::exchange(started_, false)) side_->join();
  }

 private:
  /// One group of calls, which NCCL begins together.
  template <typename Work>
  void start(const char* what, const Work& work) {
    side_->fork();
    started_ = true;
    check(calls_.group_start(), what);
    work();
    check(calls_.group_end(), what);
  }

  void check(Result result, const char* what) const {
    if (result == success || result == in_progress) return;
    const char* const detail = calls_.last_error(comm_);
    throw RunError(fmt::format("rank {}: NCCL: {}: {}{}{}", rank_, what, calls_.error_text(result),
                               detail && *detail ? ": " : "", detail ? detail : ""),
                   1);
  }

  Calls calls_;
  std::shared_ptr<Device> device_;
  std::unique_ptr<SideStream> side_;
  int rank_;
  bool started_ = false;  // since the last join
  Comm comm_ = nullptr;
  std::string name_;
};

}  // namespace

Calls load() {
  void* const library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw InputError(
        fmt::format("NCCL is not found ({}): install it, or let LD_LIBRARY_PATH name its folder, or use "
                    "--collectives mpi",
                    dlerror()));
  const auto assign = [&]<typename R, typename... A>(std::function<R(A...)>& call, const char* name) {
    void* const found = dlsym(library, name);
    require(found != nullptr, "libnccl.so.2 has no {}: a newer NCCL is needed, or --collectives mpi", name);
    call = reinterpret_cast<R (*)(A...)>(found);
  };
  Calls calls;
  assign(calls.get_version, "ncclGetVersion");
  assign(calls.get_unique_id, "ncclGetUniqueId");
  assign(calls.init_rank, "ncclCommInitRank");
  assign(calls.abort, "ncclCommAbort");
  assign(calls.get_async_error, "ncclCommGetAsyncError");
  assign(calls.error_text, "ncclGetErrorString");
  assign(calls.last_error, "ncclGetLastError");
  assign(calls.group_start, "ncclGroupStart");
  assign(calls.group_end, "ncclGroupEnd");
  assign(calls.all_reduce, "ncclAllReduce");
  assign(calls.reduce, "ncclReduce");
  assign(calls.broadcast, "ncclBroadcast");
  assign(calls.send, "ncclSend");
  assign(calls.receive, "ncclRecv");
  return calls;
}

UniqueId make_id(const Calls& calls) {
  UniqueId id;
  const Result result = calls.get_unique_id(&id);
  if (result != success) throw RunError(fmt::format("NCCL: naming the ranks: {}", calls.error_text(result)), 1);
  return id;
}

std::unique_ptr<Collectives> connect(Calls calls, std::shared_ptr<Device> device, const UniqueId& id, int rank,
                                     int size, std::function<void(double seconds)> waiting) {
  return std::make_unique<NcclCollectives>(std::move(calls), std::move(device), id, rank, size, std::move(waiting));
}

}  // namespace kernels::nccl
