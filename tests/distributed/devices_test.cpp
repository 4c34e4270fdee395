// Which device a rank gets, and what it is told where it can have none.
#include "distributed/devices.h"

#include <gtest/gtest.h>

#include "core/config/load.h"

namespace distributed {
namespace {

using Visible = std::vector<std::vector<std::string>>;

TEST(ShareOut, GivesEachProcessOfANodeItsOwnGpu) {
  EXPECT_EQ(share_out(Visible{{"a", "b", "c"}}, GpuSharing::no), std::vector<int>{0});
  EXPECT_EQ(share_out(Visible{{"a", "b"}, {"a", "b"}}, GpuSharing::no), (std::vector<int>{0, 1})) << "all see all";
  EXPECT_EQ(share_out(Visible{{"a"}, {"b"}, {"c"}}, GpuSharing::no), (std::vector<int>{0, 0, 0}))
      << "each sees its own";
  EXPECT_EQ(share_out(Visible{{"a", "b"}, {"b", "a"}}, GpuSharing::no), (std::vector<int>{0, 0})) << "in another order";
  EXPECT_EQ(share_out(Visible{{"a"}, {"a"}}, GpuSharing::no), (std::vector<int>{0, -1}));
  EXPECT_EQ(share_out(Visible{{"a", "b"}, {"a", "b"}, {"a", "b"}}, GpuSharing::no), (std::vector<int>{0, 1, -1}));
}

TEST(ShareOut, OrSpreadsThemOverThoseThatThereAre) {
  EXPECT_EQ(share_out(Visible{{"a"}, {"a"}, {"a"}}, GpuSharing::yes), (std::vector<int>{0, 0, 0}));
  EXPECT_EQ(share_out(Visible{{"a", "b"}, {"a", "b"}, {"a", "b"}}, GpuSharing::yes), (std::vector<int>{0, 1, 0}));
  EXPECT_EQ(share_out(Visible{{"a", "b"}, {"a", "b"}, {"b", "a"}}, GpuSharing::yes), (std::vector<int>{0, 1, 0}));
}

TEST(ShareOut, MoreRanksThanGpusAreRefused) {
  require_one_each(std::vector<int>{0, 1}, "node7");
  try {
    require_one_each(share_out(Visible{{"a"}, {"a"}}, GpuSharing::no), "node7");
    FAIL() << "accepted";
  } catch (const kernels::InputError& error) {
    EXPECT_STREQ(error.what(),
                 "2 ranks were started on node7, where they see 1 GPU: start as many as there are GPUs (srun "
                 "--ntasks-per-node, mpirun --map-by ppr:N:node), let them share (train --share-gpus), or use --device "
                 "cpu");
  }
}

TEST(ChooseDevice, TheCpuIsAlwaysThere) {
  const auto communicator = make_solo_communicator();
  const Chosen chosen = choose_device(DeviceChoice::cpu, 3, *communicator);
  EXPECT_EQ(chosen.device->name(), "CPU, 3 threads");
  EXPECT_EQ(chosen.reason, "");
}

TEST(ChooseDevice, WhatCannotBeHadIsRefusedOrReplacedForTheSameReason) {
  const auto communicator = make_solo_communicator();
  const Chosen chosen = choose_device(DeviceChoice::automatic, 2, *communicator);
  if (chosen.reason.empty()) {
    EXPECT_EQ(chosen.device->residence(), kernels::Residence::device) << "a GPU needs no reason";
    return;
  }
  EXPECT_EQ(chosen.device->name(), "CPU, 2 threads");
  try {
    choose_device(DeviceChoice::cuda, 2, *communicator);
    FAIL() << "cuda was found, but not by auto";
  } catch (const kernels::InputError& error) {
    EXPECT_EQ(error.what(), "--device cuda: " + chosen.reason);
    EXPECT_EQ(chosen.reason.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace distributed
