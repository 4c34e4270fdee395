// What reducers do with gradients in a device's own memory: by way of the host's, and by NCCL's calls.
#include "distributed/collectives.h"

#include <gtest/gtest.h>

#include "kernels/check.h"
#include "kernels/simt/emulated_device.h"
#include "tests/distributed/nccl_double.h"
#include "tests/distributed/reducer_cases.h"
#include "tests/distributed/thread_communicator.h"

namespace distributed::testing {
namespace {

std::shared_ptr<kernels::Device> gpu(std::size_t bytes = std::size_t{1} << 30) {
  return kernels::simt::make_emulated_device(bytes);
}

TEST(StagedCollectives, MoveWhatTheDeviceHas) {
  for (const int ranks : {1, 2, 3, 5}) {
    on_ranks(ranks, [](Communicator& c) {
      expect_collectives(c, [](Communicator& communicator) {
        auto device = gpu();
        auto collectives = make_host_collectives(communicator, device);
        EXPECT_FALSE(collectives->within_programs());
        return Ranks{communicator, std::move(device), std::move(collectives)};
      });
    });
  }
}

TEST(NcclCollectives, MoveWhatTheDeviceHas) {
  for (const int ranks : {1, 2, 3, 5}) {
    NcclDouble nccl(ranks);
    on_ranks(ranks, [&](Communicator& c) {
      expect_collectives(c, [&](Communicator& communicator) {
        auto device = gpu();
        auto collectives = connect_nccl(nccl.calls(communicator.rank()), communicator, device);
        EXPECT_EQ(collectives->name(), "NCCL 2.28.9");
        return Ranks{communicator, std::move(device), std::move(collectives)};
      });
    });
  }
}

/// The calls of one step by three ranks, which are groups of calls of the same names and sizes.
std::vector<std::string> calls_of_a_step(Reduction reduction, Sharding sharding) {
  NcclDouble nccl(3);
  on_ranks(3, [&](Communicator& c) {
    auto device = gpu();
    Ranks ranks{c, device, connect_nccl(nccl.calls(c.rank()), c, device)};
    const Layout layout = make_layout(std::vector<NamedShape>{{"a", {64}}, {"b", {256}}, {"c", {64}}});
    ReducerOnRanks(ranks, layout, sharding, reduction, 3, 128).step(0, true);
  });
  if (reduction == Reduction::fast) {
    EXPECT_EQ(nccl.notes(0), nccl.notes(1));
    EXPECT_EQ(nccl.notes(0), nccl.notes(2));
  }
  return nccl.notes(1);
}

TEST(NcclCollectives, AreCalledBucketByBucketFromTheEnd) {
  using Notes = std::vector<std::string>;
  EXPECT_EQ(calls_of_a_step(Reduction::fast, Sharding::none), (Notes{"all_reduce 320", "all_reduce 64"}));
  EXPECT_EQ(calls_of_a_step(Reduction::fast, Sharding::optimizer),
            (Notes{"reduce 64 rank 0; reduce 128 rank 1; reduce 128 rank 2", "reduce 64 rank 0"}));
  const std::string all =
      "send 64 rank 0; receive 128 rank 0; send 128 rank 1; receive 128 rank 1; send 128 rank 2; "
      "receive 128 rank 2";
  EXPECT_EQ(calls_of_a_step(Reduction::deterministic, Sharding::optimizer), (Notes{all, "send 64 rank 0"}));
  EXPECT_EQ(calls_of_a_step(Reduction::deterministic, Sharding::none),
            (Notes{all, "send 64 rank 0", "broadcast 128 rank 0; broadcast 128 rank 1; broadcast 128 rank 2"}));
}

TEST(NcclCollectives, WhatNcclRefusesEndsTheRun) {
  const auto communicator = make_solo_communicator();
  const auto failing = [&](auto member, auto call) {
    NcclDouble nccl(1);
    kernels::nccl::Calls calls = nccl.calls(0);
    calls.*member = call;
    auto device = gpu();
    const auto collectives = connect_nccl(calls, *communicator, device);
    const DeviceVector vector(*device, 64, "a test's vector");
    collectives->start_all_reduce(vector.span());
    collectives->progress();
  };
  using kernels::nccl::Calls, kernels::nccl::Comm, kernels::nccl::Result;
  const auto expect_error = [](const auto& work, const std::string& text) {
    try {
      work();
      FAIL() << "accepted";
    } catch (const kernels::RunError& error) {
      EXPECT_EQ(error.what(), text);
    }
  };
  expect_error([&] { failing(&Calls::group_end, [] { return Result{1}; }); },
               "rank 0: NCCL: all-reduce: an error of the double");
  expect_error(
      [&] {
        failing(&Calls::get_async_error, [](Comm, Result* result) {
          *result = 6;
          return Result{0};
        });
      },
      "rank 0: NCCL: what was started before: an error of the double");
}

/// Keeps what is to be called while it waits.
class WaitingDevice final : public kernels::HostDevice {
 public:
  std::string name() const override { return "a test's device"; }
  kernels::Residence residence() const override { return kernels::Residence::device; }
  kernels::Step prepare(const kernels::Op&, const kernels::OnExchange&) override { return {}; }
  std::unique_ptr<kernels::SideStream> side_stream() override { return gpu()->side_stream(); }
  void while_waiting(std::function<void(double)> watch) override { watch_ = std::move(watch); }
  const std::function<void(double)>& watch() const { return watch_; }

 private:
  std::function<void(double)> watch_;
};

TEST(NcclCollectives, AreLookedAfterWhileTheDeviceWaits) {
  const auto communicator = make_solo_communicator();
  const auto device = std::make_shared<WaitingDevice>();
  kernels::nccl::Result state = kernels::nccl::success;
  NcclDouble nccl(1);
  kernels::nccl::Calls calls = nccl.calls(0);
  calls.get_async_error = [&](kernels::nccl::Comm, kernels::nccl::Result* result) {
    *result = state;
    return kernels::nccl::success;
  };
  auto collectives = connect_nccl(calls, *communicator, device);
  ASSERT_TRUE(device->watch());
  device->watch()(0.1);
  state = 6;  // another rank is gone
  EXPECT_THROW(device->watch()(0.2), kernels::RunError);
  collectives.reset();
  EXPECT_FALSE(device->watch()) << "nothing is left to look after";
}

TEST(Nccl, IsNotForTheCpu) {
  const auto communicator = make_solo_communicator();
  try {
    make_collectives(CollectivesChoice::nccl, *communicator, kernels::make_cpu_device(1));
    FAIL() << "accepted";
  } catch (const kernels::InputError& error) {
    EXPECT_STREQ(error.what(),
                 "--collectives nccl: NCCL moves what GPUs have, and this run is on the CPU, 1 thread: use --device "
                 "cuda, or --collectives mpi");
  }
}

// The binary counter: as many partial sums as the logarithm of the micro-batches, in memory that is all taken at once.
TEST(Reducer, MemoryGrowsWithTheLogarithmOfTheMicroBatches) {
  const auto communicator = make_solo_communicator();
  const Layout layout = awkward_layout(500);
  const auto make = [&](std::int64_t vectors) {
    auto device = gpu((vectors + 1) * layout.total * 4 + 4096);  // the gradient, and the numbers of its norm
    Ranks ranks{*communicator, device, make_host_collectives(*communicator, device)};
    ReducerOnRanks(ranks, layout, Sharding::none, Reduction::deterministic, 64, 1000).step(0, true);
  };
  make(6);
  EXPECT_THROW(make(5), kernels::InputError);
}

}  // namespace
}  // namespace distributed::testing
