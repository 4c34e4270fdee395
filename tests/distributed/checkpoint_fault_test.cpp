// Disks that fail, disks that lie, and death at every moment of a save.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "core/storage/file_io.h"
#include "distributed/checkpoint_report.h"
#include "distributed/checkpoint_store.h"
#include "kernels/check.h"
#include "tests/distributed/checkpoint_cases.h"
#include "tests/distributed/faulty_system.h"
#include "tests/distributed/thread_communicator.h"

namespace distributed::testing {
namespace {

const Layout layout = awkward_layout(500);

std::int64_t newest(const TestDirectory& directory, std::vector<std::string>* notes = nullptr) {
  std::int64_t step = -2;
  on_ranks(2, [&](Communicator& c) {
    CheckpointStore store(c, directory.path(), identity_of(layout), 9);
    const std::int64_t mine = loaded_step(c, store, layout, notes);
    if (c.rank() == 0) step = mine;
  });
  return step;
}

/// Saves steps 1 and 2, then step 3 under a fault and step 4 without; returns the result of step 3.
SaveResult save_under(const TestDirectory& directory, const Fault& fault) {
  SaveResult result{};
  std::optional<FaultySystem> system;
  on_ranks(3, [&](Communicator& c) {
    CheckpointStore store(c, directory.path(), identity_of(layout), 9);
    save_step(c, store, layout, 1);
    save_step(c, store, layout, 2);
    if (c.rank() == 0) system.emplace(fault);
    c.barrier();
    const SaveResult mine = save_step(c, store, layout, 3);
    c.barrier();
    if (c.rank() == 0) {
      result = mine;
      system.reset();
    }
    c.barrier();
    EXPECT_EQ(mine.outcome == SaveOutcome::committed, loaded_step(c, store, layout) == 3);
    EXPECT_EQ(save_step(c, store, layout, 4).outcome, SaveOutcome::committed);
  });
  return result;
}

TEST(CheckpointFault, AFailedSaveNamesRankFileAndErrorAndLeavesTheOlderOnes) {
  struct Case {
    Fault fault;
    std::vector<std::string> said;
  };
  const std::vector<Case> cases{
      {{Deed::fail, "write", "shard_00001", 0, 9, EIO},
       {"rank 1 of 3 on here: cannot write ", "shard_00001_of_00003.bin: Input/output error"}},
      {{Deed::fail, "write", "shard_00002", 1, 9, EDQUOT}, {"rank 2 of 3", "Disk quota exceeded"}},
      {{Deed::fail, "fsync", "shard_00000", 0, 9, ENOSPC},
       {"rank 0 of 3 on here: cannot sync ", "No space left on device"}},
      {{Deed::fail, "write", "MANIFEST.pb", 0, 9, EIO}, {"rank 0", "MANIFEST.pb: Input/output error"}},
      {{Deed::fail, "fsync", ".tmp.step_0000000003", 5, 9, EIO}, {"rank 0", "-g00001.2: Input/output error"}},
      {{Deed::fail, "mkdir", ".tmp.step_0000000003", 0, 9, EROFS},
       {"cannot make the directory", "Read-only file system"}},
      {{Deed::fail, "renameat2", "/step_0000000003", 0, 9, EACCES}, {"cannot rename ", "Permission denied"}}};
  for (const Case& one : cases) {
    const TestDirectory directory("failed_save");
    const SaveResult result = save_under(directory, one.fault);
    EXPECT_EQ(result.outcome, SaveOutcome::failed);
    EXPECT_NE(result.text.find("checkpoint of step 3 was not saved: "), std::string::npos) << result.text;
    for (const std::string& part : one.said)
      EXPECT_NE(result.text.find(part), std::string::npos) << part << "\n" << result.text;
    EXPECT_EQ(directory.names(".tmp."), std::vector<std::string>{});
    EXPECT_EQ(newest(directory), 4);
  }
}

TEST(CheckpointFault, AFullDiskIsMetByKeepingOneOldCheckpoint) {
  const TestDirectory directory("full");
  const SaveResult result = save_under(directory, {Deed::fail, "write", "shard_00001", 0, 1, ENOSPC});
  EXPECT_EQ(result.outcome, SaveOutcome::committed) << result.text;
  EXPECT_EQ(directory.names("step_"),
            (std::vector<std::string>{"step_0000000002-g00001", "step_0000000003-g00001", "step_0000000004-g00001"}));
}

// Checksums are of the numbers in memory, so they cannot agree with what the disk made of them.
TEST(CheckpointFault, AWriteThatLiesIsNoticedAtTheNextLoad) {
  const TestDirectory directory("lie");
  on_ranks(2, [&](Communicator& c) {
    CheckpointStore store(c, directory.path(), identity_of(layout), 9);
    save_step(c, store, layout, 1);
    c.barrier();
    std::optional<FaultySystem> system;
    if (c.rank() == 0) system.emplace(Fault{Deed::lie, "write", "shard_00001", 1, 1, 0});
    c.barrier();
    EXPECT_EQ(save_step(c, store, layout, 2).outcome, SaveOutcome::committed);
  });
  std::vector<std::string> notes;
  EXPECT_EQ(newest(directory, &notes), 1);
  ASSERT_EQ(notes.size(), 1);
  EXPECT_NE(notes[0].find("shard_00001_of_00002.bin: block 0 (bytes 4096 to "), std::string::npos) << notes[0];
}

TEST(CheckpointFault, ABadSectorMeansAnOlderCheckpointButNoPermissionMeansStop) {
  const TestDirectory directory("read");
  on_ranks(1, [&](Communicator& c) {
    CheckpointStore store(c, directory.path(), identity_of(layout), 9);
    for (const std::int64_t step : {1, 2, 3}) save_step(c, store, layout, step);
  });
  {
    const FaultySystem system({Deed::fail, "pread", "step_0000000003-g00001/shard", 0, 1 << 30, EIO});
    EXPECT_EQ(newest(directory), 2);
  }
  const FaultySystem system({Deed::fail, "pread", "step_0000000002-g00001/shard", 0, 1 << 30, EACCES});
  try {
    newest(directory);
    FAIL() << "went on";
  } catch (const kernels::RunError& error) {
    EXPECT_EQ(error.status, 4);
    EXPECT_NE(std::string(error.what()).find("Permission denied"), std::string::npos) << error.what();
  }
  EXPECT_EQ(directory.names("step_").size(), 2) << "a checkpoint that may be whole was set aside";
}

// What a killed process cannot show, for the page cache outlives it: the order that a power cut asks for.
TEST(CheckpointFault, EverythingIsSyncedBeforeItsNameIsAndTheNameBeforeAnyoneHearsOfIt) {
  const TestDirectory directory("order");
  std::vector<std::string> calls;
  on_ranks(2, [&](Communicator& c) {
    CheckpointStore store(c, directory.path(), identity_of(layout), 9);
    c.barrier();
    std::optional<FaultySystem> recorder;
    if (c.rank() == 0) recorder.emplace(Fault{Deed::fail, "nothing", "nothing"});
    c.barrier();
    save_step(c, store, layout, 1);
    c.barrier();
    if (c.rank() == 0) calls = FaultySystem::calls();
  });
  const std::string folder = checkpoint_folder(directory.path()).string();
  const std::string temporary = folder + "/.tmp.step_0000000001-g00001.0";
  const auto place = [&](const std::string& call) {
    EXPECT_EQ(std::ranges::count(calls, call), 1) << call;
    return std::ranges::find(calls, call) - calls.begin();
  };
  const auto commit = place("renameat2 " + folder + "/step_0000000001-g00001");
  const auto directory_sync = place("fsync " + temporary);
  for (const std::string file : {"shard_00000_of_00002.bin", "shard_00001_of_00002.bin", "MANIFEST.pb"}) {
    EXPECT_LT(place("fsync " + temporary + "/" + file), directory_sync) << file;
  }
  EXPECT_LT(directory_sync, commit);
  EXPECT_LT(commit, place("fsync " + folder));
}

// The child dies before its n-th call that changes the disk, for every n; whoever comes next finds one of the two
// steps.
TEST(CheckpointFault, DeathAtAnyMomentLosesNothingCommitted) {
  std::vector<std::vector<float>> values;
  for (int section = 0; section < 4; ++section) {
    std::vector<float>& flat = values.emplace_back(layout.total);
    for (std::int64_t i = 0; i < layout.total; ++i) flat[i] = state_value(section, i, 2);
  }
  int old_found = 0, new_found = 0;
  for (int calls = 0;; ++calls) {
    ASSERT_LT(calls, 200);
    const TestDirectory directory("death");
    on_ranks(2, [&](Communicator& c) {
      CheckpointStore store(c, directory.path(), identity_of(layout), 1);
      save_step(c, store, layout, 1);
    });
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const FaultySystem system({Deed::kill, "", directory.path().string(), calls});
      const auto solo = make_solo_communicator();
      CheckpointStore store(*solo, directory.path(), identity_of(layout), 1);
      std::vector<Section> sections;
      for (int section = 0; section < 4; ++section) sections.push_back({section_names[section], 0, values[section]});
      _exit(store.save(2, sections, state_of(2)).outcome == SaveOutcome::committed ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    for (const CheckpointName& name : complete_checkpoints(checkpoint_folder(directory.path()))) {
      EXPECT_TRUE(verify_checkpoint(directory.checkpoint(name.step, name.generation)).empty()) << calls;
    }
    const std::int64_t step = newest(directory);
    EXPECT_TRUE(step == 1 || step == 2) << step << " after " << calls << " calls";
    EXPECT_GE(step, new_found > 0 ? 2 : 1) << "a later death lost more";
    ++(step == 1 ? old_found : new_found);
    EXPECT_EQ(directory.names(".tmp."), std::vector<std::string>{});
    EXPECT_EQ(directory.names(".bad."), std::vector<std::string>{});
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      EXPECT_EQ(step, 2);
      break;
    }
  }
  EXPECT_GT(old_found, 8);
  EXPECT_GT(new_found, 4) << "the deletion of the older one was not interrupted";
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ReplacedFile, IsTheOldOneOrTheNewOneAfterDeathAtAnyMoment) {
  int old_found = 0, new_found = 0;
  for (int calls = 0, ended = 0; !ended; ++calls) {
    ASSERT_LT(calls, 20);
    const TestDirectory directory("replace");
    const std::filesystem::path file = directory.path() / "config.textproto";
    core::storage::replace_file(file, "old");
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const FaultySystem system({Deed::kill, "", directory.path().string(), calls});
      core::storage::replace_file(file, "the new one");
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ended = WIFEXITED(status);
    const std::string found = content(file);
    EXPECT_TRUE(found == "old" || found == "the new one") << found << " after " << calls << " calls";
    ++(found == "old" ? old_found : new_found);
    core::storage::replace_file(file, "a later one");  // whatever was left
    EXPECT_EQ(content(file), "a later one");
  }
  EXPECT_GE(old_found, 3) << "before the write, the sync and the renaming";
  EXPECT_GE(new_found, 2) << "before the sync of the folder, and at the end";
}

TEST(ReplacedFile, IsTheOldOneWhereTheDiskIsFull) {
  const TestDirectory directory("replace_full");
  const std::filesystem::path file = directory.path() / "config.textproto";
  core::storage::replace_file(file, "old");
  {
    const FaultySystem system({Deed::fail, "write", "config.textproto", 0, 9, ENOSPC});
    EXPECT_THROW(core::storage::replace_file(file, "new"), core::storage::FileError);
  }
  EXPECT_EQ(content(file), "old");
}

TEST(MadeDirectories, AreEachSyncedIntoTheirParents) {
  const TestDirectory directory("parents");
  const std::string top = directory.path().string();
  std::vector<std::string> calls;
  {
    const FaultySystem recorder({Deed::fail, "nothing", "nothing"});
    core::storage::make_directories(directory.path() / "a/b");
    calls = FaultySystem::calls();
  }
  EXPECT_EQ(calls, (std::vector<std::string>{"mkdir " + top + "/a", "fsync " + top, "mkdir " + top + "/a/b",
                                             "fsync " + top + "/a"}));
  core::storage::make_directories(directory.path() / "a/b");
  std::ofstream(directory.path() / "file") << "x";
  EXPECT_THROW(core::storage::make_directories(directory.path() / "file"), core::storage::FileError);
  EXPECT_THROW(core::storage::make_directories(directory.path() / "file/c"), core::storage::FileError);
}

}  // namespace
}  // namespace distributed::testing
