#include "distributed/collectives.h"

#include <numeric>
#include <vector>

#include "distributed/agreement.h"

namespace distributed {
namespace {

/// In the host's memory, where the device computes.
class HostCollectives final : public kernels::Collectives {
 public:
  explicit HostCollectives(Communicator& communicator) : communicator_(communicator) {}
  std::string name() const override { return "MPI"; }
  bool within_programs() const override { return true; }

  void start_all_reduce(std::span<float> values) override { communicator_.start_all_reduce(values); }
  void start_reduce_scatter(std::span<float> values, std::span<const std::int64_t> counts) override {
    kernels::each_piece(values, counts,
                        [&](std::span<float> piece, int rank) { communicator_.start_reduce(piece, rank); });
  }
  void start_all_gather(std::span<float> values, std::span<const std::int64_t> counts) override {
    const auto own = counts.begin() + communicator_.rank();
    const std::span<const float> mine = values.subspan(std::accumulate(counts.begin(), own, std::int64_t{0}), *own);
    communicator_.all_gather(mine, values, counts);
  }
  void start_all_to_all(const kernels::Pieces<const float>& send, const kernels::Pieces<float>& receive) override {
    communicator_.start_all_to_all(send, receive);
  }
  void progress() override { communicator_.progress(); }
  void join() override { communicator_.wait(); }

 private:
  Communicator& communicator_;
};

/// By copies in the host's memory, each complete when its call returns.
class StagedCollectives final : public kernels::Collectives {
 public:
  StagedCollectives(Communicator& communicator, std::shared_ptr<kernels::Device> device)
      : host_(communicator), device_(std::move(device)) {}
  std::string name() const override { return "MPI, by way of the host's memory"; }
  bool within_programs() const override { return false; }

  void start_all_reduce(std::span<float> values) override {
    in_copy(values, [&](std::span<float> copy) { host_.start_all_reduce(copy); });
  }
  void start_reduce_scatter(std::span<float> values, std::span<const std::int64_t> counts) override {
    in_copy(values, [&](std::span<float> copy) { host_.start_reduce_scatter(copy, counts); });
  }
  void start_all_gather(std::span<float> values, std::span<const std::int64_t> counts) override {
    in_copy(values, [&](std::span<float> copy) { host_.start_all_gather(copy, counts); });
  }
  void start_all_to_all(const kernels::Pieces<const float>& send, const kernels::Pieces<float>& receive) override {
    const auto packed = [](const auto& pieces, std::vector<float>& memory) {
      kernels::Pieces<float> copy{.values = {}, .counts = pieces.counts, .offsets = {}};
      std::int64_t total = 0;
      for (const std::int64_t count : pieces.counts) {
        copy.offsets.push_back(total);
        total += count;
      }
      memory.resize(total);
      copy.values = memory;
      return copy;
    };
    const kernels::Pieces<float> out = packed(send, sent_), in = packed(receive, copy_);
    for (std::size_t r = 0; r < send.counts.size(); ++r) read(part(send, r), part(out, r));
    host_.start_all_to_all({.values = out.values, .counts = out.counts, .offsets = out.offsets}, in);
    host_.join();
    for (std::size_t r = 0; r < receive.counts.size(); ++r) write(part(in, r), part(receive, r));
  }
  void progress() override {}
  void join() override {}

 private:
  template <typename T>
  static std::span<T> part(const kernels::Pieces<T>& pieces, std::size_t rank) {
    return pieces.values.subspan(pieces.offsets[rank], pieces.counts[rank]);
  }
  void read(std::span<const float> from, std::span<float> to) {
    device_->read(std::as_writable_bytes(to), reinterpret_cast<const std::byte*>(from.data()));
  }
  void write(std::span<const float> from, std::span<float> to) {
    device_->write(reinterpret_cast<std::byte*>(to.data()), std::as_bytes(from));
  }
  template <typename Work>
  void in_copy(std::span<float> values, const Work& work) {
    copy_.resize(values.size());
    read(values, copy_);
    work(std::span(copy_));
    host_.join();
    write(copy_, values);
  }

  HostCollectives host_;
  std::shared_ptr<kernels::Device> device_;
  std::vector<float> copy_, sent_;
};

}  // namespace

std::unique_ptr<kernels::Collectives> make_host_collectives(Communicator& communicator,
                                                            std::shared_ptr<kernels::Device> device) {
  if (device->residence() == kernels::Residence::host) return std::make_unique<HostCollectives>(communicator);
  return std::make_unique<StagedCollectives>(communicator, std::move(device));
}

std::unique_ptr<kernels::Collectives> connect_nccl(kernels::nccl::Calls calls, Communicator& communicator,
                                                   std::shared_ptr<kernels::Device> device) {
  kernels::nccl::UniqueId id{};
  if (communicator.rank() == 0) id = kernels::nccl::make_id(calls);
  communicator.broadcast(std::span<char>(id.internal), 0);
  return kernels::nccl::connect(std::move(calls), std::move(device), id, communicator.rank(), communicator.size(),
                                [&communicator](double seconds) { communicator.waiting(seconds, "NCCL"); });
}

std::unique_ptr<kernels::Collectives> make_collectives(CollectivesChoice choice, Communicator& communicator,
                                                       std::shared_ptr<kernels::Device> device) {
  const bool has_gpu = device->residence() == kernels::Residence::device;
  kernels::require(has_gpu || choice != CollectivesChoice::nccl,
                   "--collectives nccl: NCCL moves what GPUs have, and this run is on the {}: use --device cuda, or "
                   "--collectives mpi",
                   device->name());
  const bool wanted = has_gpu && communicator.size() > 1 && choice == CollectivesChoice::automatic;
  if (!wanted && choice != CollectivesChoice::nccl) return make_host_collectives(communicator, std::move(device));
  kernels::nccl::Calls calls;
  agree(communicator, [&] { calls = kernels::nccl::load(); });
  return connect_nccl(std::move(calls), communicator, std::move(device));
}

}  // namespace distributed
