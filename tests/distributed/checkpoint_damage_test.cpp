#include "distributed/checkpoint_report.h"
#include "distributed/manifest.h"
#include "tests/distributed/checkpoint_jobs.h"

namespace distributed::testing {
namespace {

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
