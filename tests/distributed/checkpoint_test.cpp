#include "distributed/checkpoint_read.h"
#include "tests/distributed/checkpoint_jobs.h"

namespace distributed::testing {
namespace {

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

TEST(Checkpoint, KeepsThoseOfEveryManySteps) {
  const Layout layout = awkward_layout(500);
  const TestDirectory directory("keep_every");
  on_ranks(2, [&](Communicator& c) {
    CheckpointStore store(c, directory.path(), identity_of(layout), 1, 4);
    for (std::int64_t step : {3, 4, 6, 8, 9, 10}) save_step(c, store, layout, step);
  });
  EXPECT_EQ(directory.names("step_"),
            (std::vector<std::string>{"step_0000000004-g00001", "step_0000000008-g00001", "step_0000000010-g00001"}));
}

TEST(Checkpoint, AnEmptyFolderHoldsNone) {
  const TestDirectory directory("none");
  EXPECT_EQ(load_newest(directory, awkward_layout(500), 2), -1);
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
  EXPECT_NE(text.find("Checkpoints cannot be written: rank 0 of 2 on here: cannot make the directory " +
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

}  // namespace
}  // namespace distributed::testing
