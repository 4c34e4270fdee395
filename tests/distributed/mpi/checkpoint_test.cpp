#include <gtest/gtest.h>

#include <memory>

#include "kernels/check.h"
#include "tests/distributed/checkpoint_cases.h"
#include "tests/distributed/mpi/world.h"
#include "tests/distributed/thread_communicator.h"

namespace distributed::testing {
namespace {

/// A directory that rank 0 makes and removes, and all ranks use.
class SharedDirectory {
 public:
  explicit SharedDirectory(const std::string& name) {
    if (world().rank() == 0) own_ = std::make_unique<TestDirectory>(name);
    std::string path = own_ ? own_->path().string() : "";
    world().broadcast(path, 0);
    path_ = path;
  }
  ~SharedDirectory() { world().barrier(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::unique_ptr<TestDirectory> own_;
};

TEST(MpiCheckpoint, WhatTheseRanksSavedAnyNumberLoads) {
  const Layout layout = awkward_layout(6000);
  const SharedDirectory directory("mpi_save");
  CheckpointStore store(world(), directory.path(), identity_of(layout), 2);
  for (const std::int64_t step : {1, 2, 3}) {
    EXPECT_EQ(save_step(world(), store, layout, step).outcome, SaveOutcome::committed);
  }
  EXPECT_EQ(loaded_step(world(), store, layout), 3);
  EXPECT_EQ(loaded_step(world(), store, layout, nullptr, Sharding::none), 3);
  world().barrier();
  if (world().rank() == 0) {
    for (const int readers : {1, 2, 3, 5}) {
      on_ranks(readers, [&](Communicator& c) {
        CheckpointStore later(c, directory.path(), identity_of(layout), 2);
        EXPECT_EQ(loaded_step(c, later, layout), 3);
      });
    }
  }
}

TEST(MpiCheckpoint, AnyNumberOfRanksSavesForThese) {
  const Layout layout = awkward_layout(6000);
  for (const int writers : {1, 2, 4, 5}) {
    const SharedDirectory directory("mpi_load");
    if (world().rank() == 0) {
      on_ranks(writers, [&](Communicator& c) {
        CheckpointStore store(c, directory.path(), identity_of(layout), 2);
        EXPECT_EQ(save_step(c, store, layout, 9).outcome, SaveOutcome::committed);
      });
    }
    world().barrier();
    CheckpointStore store(world(), directory.path(), identity_of(layout), 2);
    EXPECT_EQ(loaded_step(world(), store, layout), 9);
  }
}

TEST(MpiCheckpoint, DamageSeenByOneRankIsAgreedByAll) {
  const Layout layout = awkward_layout(6000);
  const SharedDirectory directory("mpi_damage");
  CheckpointStore store(world(), directory.path(), identity_of(layout), 9);
  save_step(world(), store, layout, 1);
  save_step(world(), store, layout, 2);
  const int last = world().size() - 1;
  const std::string file = fmt::format("shard_{:05}_of_{:05}.bin", last, world().size());
  if (world().rank() == 0) {
    const auto path = checkpoint_folder(directory.path()) / CheckpointName{2, 1}.text() / file;
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 100);
  }
  world().barrier();
  std::vector<std::string> notes;
  EXPECT_EQ(loaded_step(world(), store, layout, &notes), 1);
  if (world().rank() == 0) {
    ASSERT_EQ(notes.size(), 1);
    EXPECT_NE(notes[0].find(fmt::format("is damaged: rank {} of {} on ", last, world().size())), std::string::npos)
        << notes[0];
    EXPECT_NE(notes[0].find(file), std::string::npos) << notes[0];
    const auto path = checkpoint_folder(directory.path()) / CheckpointName{1, 1}.text() / "MANIFEST.pb";
    std::filesystem::remove(path);
  }
  world().barrier();
  try {
    loaded_step(world(), store, layout);
    FAIL() << "something was loaded";
  } catch (const kernels::RunError& error) {
    EXPECT_EQ(error.status, 4);
  }
}

TEST(MpiCheckpoint, ANewerJobStopsAnOlderOneOnEveryRank) {
  const Layout layout = awkward_layout(500);
  const SharedDirectory directory("mpi_fence");
  CheckpointStore older(world(), directory.path(), identity_of(layout), 9);
  save_step(world(), older, layout, 1);
  CheckpointStore newer(world(), directory.path(), identity_of(layout), 9);
  try {
    save_step(world(), older, layout, 2);
    FAIL() << "the older job went on";
  } catch (const kernels::RunError& error) {
    EXPECT_EQ(error.status, 76);
  }
  EXPECT_EQ(loaded_step(world(), newer, layout), 1);
}

}  // namespace
}  // namespace distributed::testing
