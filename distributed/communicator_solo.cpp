// A run of one process: every collective is the identity.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "distributed/communicator.h"
#include "kernels/check.h"

namespace distributed {
namespace {

class SoloCommunicator final : public Communicator {
 public:
  SoloCommunicator() {
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    node_ = host.data();
  }

  int rank() const override { return 0; }
  int size() const override { return 1; }
  const std::string& node() const override { return node_; }

  void start_all_to_all(const kernels::Pieces<const float>& send, const kernels::Pieces<float>& receive,
                        Place) override {
    kernels::ensure(send.counts.at(0) == receive.counts.at(0), "a rank receives what it sends itself");
    std::ranges::copy(send.values.subspan(send.offsets.at(0), send.counts[0]),
                      receive.values.subspan(receive.offsets.at(0), receive.counts[0]).begin());
  }
  void barrier(Place) override {}
  void start_all_reduce(std::span<float>, Place) override {}
  void start_reduce(std::span<float>, int, Place) override {}
  void progress(Place) override {}
  void wait(Place) override {}
  void abort(int status) override { std::exit(status); }
  void finish(Place) override {}

 protected:
  void reduce_buffer(Buffer, Combine, Place) override {}
  void broadcast_buffer(Buffer, int, Place) override {}
  void all_gather_buffer(Buffer mine, Buffer all, std::span<const std::int64_t> counts, Place) override {
    kernels::ensure(counts.size() == 1 && mine.count == counts[0] && all.count == mine.count, "pieces fill the whole");
    constexpr std::array<std::int64_t, 4> bytes{8, 4, 8, 1};
    if (mine.count > 0) std::memmove(all.data, mine.data, mine.count * bytes[static_cast<int>(mine.type)]);
  }

 private:
  std::string node_;
};

}  // namespace

std::unique_ptr<Communicator> make_solo_communicator() {
  return std::make_unique<SoloCommunicator>();
}

}  // namespace distributed
