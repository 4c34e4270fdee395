#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "distributed/checkpoint_read.h"
#include "distributed/checkpoint_report.h"
#include "distributed/checkpoint_store.h"
#include "distributed/manifest.h"
#include "kernels/check.h"
#include "tests/distributed/checkpoint_cases.h"
#include "tests/distributed/thread_communicator.h"

namespace distributed::testing {
namespace {

void save_steps(const TestDirectory& directory, const Layout& layout, int ranks, const std::vector<std::int64_t>& steps,
                int keep = 10) {
  on_ranks(ranks, [&](Communicator& communicator) {
    CheckpointStore store(communicator, directory.path(), identity_of(layout), keep);
    for (const std::int64_t step : steps) {
      EXPECT_EQ(save_step(communicator, store, layout, step).outcome, SaveOutcome::committed);
    }
  });
}

std::int64_t load_newest(const TestDirectory& directory, const Layout& layout, int ranks,
                         std::vector<std::string>* notes = nullptr) {
  std::int64_t step = -2;
  on_ranks(ranks, [&](Communicator& communicator) {
    CheckpointStore store(communicator, directory.path(), identity_of(layout), 10);
    const std::int64_t mine = loaded_step(communicator, store, layout, notes);
    if (communicator.rank() == 0) step = mine;
  });
  return step;
}

template <typename Error>
std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

int status_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const kernels::RunError& error) {
    return error.status;
  }
  return 0;
}

void flip_bit(const std::filesystem::path& file, std::int64_t byte) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(byte);
  const int value = stream.get();
  stream.seekp(byte);
  stream.put(static_cast<char>(value ^ 0x10));
  ASSERT_TRUE(stream.good()) << file;
}

TEST(Checkpoint, LoadsOnAnyNumberOfRanksWhatAnyNumberSaved) {
  for (const std::int64_t scale : {0, 500, 6000}) {
    const Layout layout = awkward_layout(scale);
    for (const int writers : {1, 2, 3, 4, 5, 8}) {
      const TestDirectory directory("reshard");
      save_steps(directory, layout, writers, {7});
      for (const int readers : {1, 2, 3, 4, 6, 8}) EXPECT_EQ(load_newest(directory, layout, readers), 7);
    }
  }
}

// More than one block of 4 MiB a section: shard borders fall inside blocks.
TEST(Checkpoint, LoadsLargeShardsOnOtherRanks) {
  const Layout layout = make_layout(std::vector<NamedShape>{{"large", {2500000}}});
  const TestDirectory directory("large");
  save_steps(directory, layout, 2, {1});
  EXPECT_EQ(load_newest(directory, layout, 1), 1);
  EXPECT_EQ(load_newest(directory, layout, 3), 1);
}

TEST(Checkpoint, ShardingMayChangeBetweenSaveAndLoad) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("sharding");
  on_ranks(3, [&](Communicator& c) {
    CheckpointStore store(c, directory.path(), identity_of(layout), 3);
    EXPECT_EQ(save_step(c, store, layout, 5, Sharding::none).outcome, SaveOutcome::committed);
    EXPECT_EQ(loaded_step(c, store, layout, nullptr, Sharding::optimizer), 5);
  });
  on_ranks(2, [&](Communicator& c) {
    CheckpointStore store(c, directory.path(), identity_of(layout), 3);
    EXPECT_EQ(loaded_step(c, store, layout, nullptr, Sharding::none), 5);
  });
}

TEST(Checkpoint, KeepsTheNewest) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("keep");
  save_steps(directory, layout, 2, {1, 2, 10, 9}, 2);
  EXPECT_EQ(directory.names("step_"), (std::vector<std::string>{"step_0000000009-g00001", "step_0000000010-g00001"}));
  EXPECT_EQ(directory.names(".tmp."), std::vector<std::string>{});
  EXPECT_EQ(load_newest(directory, layout, 1), 10);
}

TEST(Checkpoint, AnEmptyFolderHoldsNone) {
  const TestDirectory directory("none");
  EXPECT_EQ(load_newest(directory, awkward_layout(500), 2), -1);
}

// Every way to damage any byte of any file is noticed, by some rank, on any number of ranks.
TEST(Checkpoint, DamageIsNamedSetAsideAndTheOlderCheckpointLoaded) {
  const Layout layout = awkward_layout(6000);
  using Damage = std::function<void(const std::filesystem::path&)>;
  const auto at = [](double share) {
    return [share](const std::filesystem::path& file) {
      flip_bit(file, static_cast<std::int64_t>(share * static_cast<double>(std::filesystem::file_size(file) - 1)));
    };
  };
  std::vector<std::pair<std::string, Damage>> damages{
      {"deleted", [](const auto& file) { std::filesystem::remove(file); }},
      {"emptied", [](const auto& file) { std::filesystem::resize_file(file, 0); }},
      {"cut", [](const auto& file) { std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1); }},
      {"cut in half",
       [](const auto& file) { std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2); }},
      {"extended", [](const auto& file) { std::ofstream(file, std::ios::app) << "x"; }},
      {"of an older step", [](const auto& file) {
         const auto older = file.parent_path().parent_path() / "step_0000000001-g00001" / file.filename();
         std::filesystem::copy_file(older, file, std::filesystem::copy_options::overwrite_existing);
       }}};
  for (const double share : {0.0, 0.001, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.999, 1.0}) {
    damages.emplace_back("bit flipped at " + std::to_string(share), at(share));
  }
  for (const std::string file :
       {"shard_00000_of_00003.bin", "shard_00001_of_00003.bin", "shard_00002_of_00003.bin", "MANIFEST.pb"}) {
    for (const auto& [what, damage] : damages) {
      for (const int readers : {1, 2, 4}) {
        const TestDirectory directory("damage");
        save_steps(directory, layout, 3, {1, 2});
        damage(directory.checkpoint(2) / file);
        EXPECT_FALSE(verify_checkpoint(directory.checkpoint(2)).empty()) << file << " " << what;
        std::vector<std::string> notes;
        EXPECT_EQ(load_newest(directory, layout, readers, &notes), 1) << file << " " << what << " Q=" << readers;
        ASSERT_EQ(notes.size(), 1) << file << " " << what;
        EXPECT_NE(notes[0].find("checkpoint step_0000000002-g00001 is damaged: rank "), std::string::npos) << notes[0];
        EXPECT_TRUE(notes[0].find(file) != std::string::npos || what == "of an older step") << notes[0];
        EXPECT_NE(notes[0].find("renamed to .bad.step_0000000002-g00001"), std::string::npos) << notes[0];
        EXPECT_EQ(directory.names(".bad."), std::vector<std::string>{".bad.step_0000000002-g00001"});
        EXPECT_TRUE(verify_checkpoint(directory.checkpoint(1)).empty());
      }
    }
  }
}

TEST(Checkpoint, SwappedShardsAreNoticed) {
  const Layout layout = make_layout(std::vector<NamedShape>{{"even", {640}}});
  const TestDirectory directory("swap");
  save_steps(directory, layout, 2, {1, 2});
  const auto first = directory.checkpoint(2) / "shard_00000_of_00002.bin",
             second = directory.checkpoint(2) / "shard_00001_of_00002.bin";
  ASSERT_EQ(std::filesystem::file_size(first), std::filesystem::file_size(second));
  std::filesystem::rename(first, directory.path() / "x");
  std::filesystem::rename(second, first);
  std::filesystem::rename(directory.path() / "x", second);
  std::vector<std::string> notes;
  EXPECT_EQ(load_newest(directory, layout, 2, &notes), 1);
  EXPECT_NE(notes.at(0).find("shard_00000_of_00002.bin: is rank 1 of 2 of step 2, generation 1: the file of another"),
            std::string::npos)
      << notes.at(0);
}

// The same step, generation and rank: only the manifest tells them apart.
TEST(Checkpoint, AShardOfAnotherRunIsNoticed) {
  const Layout layout = make_layout(std::vector<NamedShape>{{"even", {640}}});
  const TestDirectory directory("one_run"), other("another_run");
  save_steps(directory, layout, 2, {1, 2});
  on_ranks(2, [&](Communicator& c) {
    CheckpointStore store(c, other.path(), identity_of(layout), 2);
    const Parameters parameters(layout, Sharding::optimizer, c.rank(), 2);
    store.save(2, shard_sections(parameters), {});
  });
  std::filesystem::copy_file(other.checkpoint(2) / "shard_00001_of_00002.bin",
                             directory.checkpoint(2) / "shard_00001_of_00002.bin",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(load_newest(directory, layout, 1), 1);
}

TEST(Checkpoint, TheStepCanBeSavedAgainAfterItsCheckpointWasSetAside) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("again");
  save_steps(directory, layout, 1, {1, 2});
  flip_bit(directory.checkpoint(2) / "MANIFEST.pb", 3);
  EXPECT_EQ(load_newest(directory, layout, 1), 1);
  save_steps(directory, layout, 1, {2});
  EXPECT_EQ(load_newest(directory, layout, 1), 2);
}

TEST(Checkpoint, NothingUsableIsStatus4AndStaysSo) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("all_damaged");
  save_steps(directory, layout, 2, {1, 2});
  std::filesystem::remove(directory.checkpoint(1) / "MANIFEST.pb");
  flip_bit(directory.checkpoint(2) / "shard_00001_of_00002.bin", 5000);
  const std::string text = error_of<kernels::RunError>([&] { load_newest(directory, layout, 2); });
  EXPECT_NE(text.find("No usable checkpoint in "), std::string::npos) << text;
  EXPECT_NE(text.find(".bad.step_0000000001-g00001"), std::string::npos) << text;
  EXPECT_NE(text.find("shard_00001_of_00002.bin: block 0"), std::string::npos) << text;
  // They are set aside now; a second start must not begin from scratch either.
  EXPECT_EQ(status_of([&] { load_newest(directory, layout, 2); }), 4);
}

TEST(Checkpoint, AnotherConfigIsRefusedByTheFieldThatDiffers) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("config");
  save_steps(directory, layout, 1, {1});
  const std::string text = error_of<kernels::InputError>([&] {
    on_ranks(2, [&](Communicator& c) {
      CheckpointStore store(c, directory.path(), identity_of(layout, "model {\n  channels: 16\n}\n"), 1);
      loaded_step(c, store, layout);
    });
  });
  EXPECT_NE(text.find("was made with model.channels: 8; this run has model.channels: 16"), std::string::npos) << text;
  EXPECT_EQ(directory.names("step_").size(), 1) << "a good checkpoint was set aside";
}

TEST(Checkpoint, AnotherModelIsRefusedByTheParameterThatDiffers) {
  const TestDirectory directory("model");
  save_steps(directory, make_layout(std::vector<NamedShape>{{"a", {3}}, {"b", {4, 2}}}), 1, {1});
  const std::string text = error_of<kernels::InputError>([&] {
    load_newest(directory, make_layout(std::vector<NamedShape>{{"a", {3}}, {"b", {4, 3}}}), 1);
  });
  EXPECT_NE(text.find("b[4,2] at 64, this run's b[4,3] at 64"), std::string::npos) << text;
}

TEST(Checkpoint, AFolderThatCannotBeWrittenIsRefusedAtOnce) {
  const TestDirectory directory("unwritable");
  std::ofstream(directory.path() / "ckpt") << "a file in the way";
  const std::string text = error_of<kernels::InputError>([&] { load_newest(directory, awkward_layout(500), 2); });
  EXPECT_NE(text.find("Checkpoints cannot be written: rank 0 of 2 on here: cannot make " +
                      (directory.path() / "ckpt").string()),
            std::string::npos)
      << text;
}

TEST(Checkpoint, AnOlderJobCannotCommitAnyMore) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("fence");
  EXPECT_EQ(status_of([&] {
              on_ranks(2, [&](Communicator& c) {
                CheckpointStore older(c, directory.path(), identity_of(layout), 2);
                EXPECT_EQ(save_step(c, older, layout, 1).outcome, SaveOutcome::committed);
                CheckpointStore newer(c, directory.path(), identity_of(layout), 2);
                EXPECT_EQ(newer.generation(), 2);
                EXPECT_EQ(save_step(c, newer, layout, 2).outcome, SaveOutcome::committed);
                save_step(c, older, layout, 3);
              });
            }),
            76);
  EXPECT_EQ(directory.names("step_"), (std::vector<std::string>{"step_0000000001-g00001", "step_0000000002-g00002"}));
}

TEST(Checkpoint, ShardsThatLeaveAGapAreNotCommitted) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("gap");
  on_ranks(2, [&](Communicator& c) {
    CheckpointStore store(c, directory.path(), identity_of(layout), 2);
    const Parameters parameters(layout, Sharding::optimizer, c.rank(), 2);
    std::vector<Section> sections = shard_sections(parameters);
    if (c.rank() == 1) sections[2].values = sections[2].values.first(64);
    const SaveResult result = store.save(1, sections, {});
    EXPECT_EQ(result.outcome, SaveOutcome::failed);
    EXPECT_NE(result.text.find("section v has"), std::string::npos) << result.text;
  });
  EXPECT_TRUE(directory.names("step_").empty());
  EXPECT_TRUE(directory.names(".tmp.").empty());
}

TEST(Checkpoint, ANewerFormatIsRefusedAndKept) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("format");
  save_steps(directory, layout, 1, {1, 2});
  Manifest manifest = read_manifest(directory.checkpoint(2));
  manifest.set_min_reader_version(99);
  std::filesystem::remove(directory.checkpoint(2) / "MANIFEST.pb");
  std::filesystem::remove(directory.checkpoint(2) / "MANIFEST.txt");
  write_manifest(directory.checkpoint(2), manifest);
  EXPECT_EQ(status_of([&] { load_newest(directory, layout, 1); }), 4);
  EXPECT_EQ(directory.names("step_").size(), 2);
}

TEST(Checkpoint, ASectionIsLoadedWholeOnEveryRank) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("section");
  save_steps(directory, layout, 3, {4, 8});
  on_ranks(2, [&](Communicator& c) {
    for (const std::int64_t step : {4, 8}) {
      std::vector<float> ema(layout.total);
      EXPECT_EQ(
          load_section(c, directory.path(), step == 8 ? std::nullopt : std::optional(step), layout, "ema", ema).step,
          step);
      for (std::int64_t i = 0; i < layout.total; ++i) ASSERT_EQ(ema[i], state_value(3, i, step));
    }
    std::vector<float> ema(layout.total);
    EXPECT_THROW(load_section(c, directory.path(), 5, layout, "ema", ema), kernels::InputError);
  });
  flip_bit(directory.checkpoint(8) / "shard_00002_of_00003.bin", 5000);
  on_ranks(2, [&](Communicator& c) {
    std::vector<float> weights(layout.total);
    EXPECT_THROW(load_section(c, directory.path(), {}, layout, "weights", weights), kernels::RunError);
  });
  EXPECT_EQ(directory.names("step_").size(), 2) << "a reader changed the folder";
}

TEST(CheckpointReport, ListsShowsAndVerifies) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("report");
  save_steps(directory, layout, 2, {1, 2, 3});
  std::filesystem::resize_file(directory.checkpoint(3) / "MANIFEST.pb", 10);
  EXPECT_EQ(load_newest(directory, layout, 1), 2);
  flip_bit(directory.checkpoint(1) / "MANIFEST.pb", 20);
  const std::vector<CheckpointSummary> list = list_checkpoints(directory.path());
  ASSERT_EQ(list.size(), 3);
  EXPECT_EQ(list[0].step, 2);
  EXPECT_EQ(list[0].ranks, 2);
  EXPECT_EQ(list[0].bytes, static_cast<std::int64_t>(
                               std::filesystem::file_size(directory.checkpoint(2) / "shard_00000_of_00002.bin") +
                               std::filesystem::file_size(directory.checkpoint(2) / "shard_00001_of_00002.bin")));
  EXPECT_EQ(list[1].condition, CheckpointCondition::unreadable);
  EXPECT_EQ(list[2].condition, CheckpointCondition::set_aside);
  EXPECT_NE(describe(list).find("step_0000000002-g00001"), std::string::npos);
  EXPECT_TRUE(verify_checkpoint(directory.checkpoint(2)).empty());
  EXPECT_EQ(verify_checkpoint(directory.checkpoint(1)).size(), 1);
  const std::string shown = show_checkpoint(directory.checkpoint(2));
  for (const char* part : {"step 2, generation 1, written by 2 ranks", "ema: 1024 elements", "kernel[3,3,56]",
                           "images: 256", "channels: 8"}) {
    EXPECT_NE(shown.find(part), std::string::npos) << part << "\n" << shown;
  }
}

}  // namespace
}  // namespace distributed::testing
