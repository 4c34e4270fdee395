// Runs that start from the weights of another.
#include <gtest/gtest.h>

#include <fstream>

#include "core/config/load.h"
#include "core/model/unet.h"
#include "core/objective/score_network.h"
#include "core/sde/sde.h"
#include "distributed/binding.h"
#include "distributed/checkpoint_read.h"
#include "tests/launch/process.h"

namespace {

using tests::mpirun;
using tests::run;

const std::string tiny =
    "--config configs/quickstart.textproto --set 'model { channels: 8 channel_multipliers: [1, 2] attention_sizes: 4 } "
    "data { image_size: 8 } training { micro_batches: 2 micro_batch_images: 3 steps: 4 evaluate_every: 0 "
    "checkpoint_every: 2 keep_checkpoints: 9 } optimizer { warmup_steps: 1 }' ";

std::string in(const std::filesystem::path& folder) {
  return "--set 'training { directory: \"" + folder.string() + "\" }' ";
}

tests::Outcome expect_success(const std::string& command) {
  const tests::Outcome outcome = run(command);
  EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome.output;
  return outcome;
}

/// One tensor of a run's checkpoint.
std::vector<float> tensor(const std::filesystem::path& folder, std::int64_t step, const std::string& section,
                          const std::string& name) {
  const auto config = core::config::load_valid(folder / "config.textproto", {}, {});
  const core::objective::ScoreNetwork network(core::model::unet_spec(config), core::sde::sde_of(config), 1,
                                              kernels::make_cpu_device(1));
  const auto layout = distributed::layout_of(network.parameters());
  const auto communicator = distributed::make_solo_communicator();
  const distributed::Floats flat(layout.total);
  distributed::load_section(*communicator, folder, step, layout, section, flat.span());
  for (const auto& place : layout.tensors) {
    if (place.name == name) return {place.range().of(flat.span()).begin(), place.range().of(flat.span()).end()};
  }
  ADD_FAILURE() << name;
  return {};
}

/// A change so small that the first step's weights tell where they came from.
const std::string still =
    "--set 'optimizer { learning_rate: 1e-30 warmup_steps: 0 } training { checkpoint_every: 1 }' ";

TEST(InitFrom, TakesTheAveragedWeightsAndAFreshOptimiser) {
  tests::Folder folder("init");
  expect_success("scoremle train " + tiny + in(folder / "first"));
  const std::string from = "--init-from " + (folder / "first").string() + " ";
  const auto outcome = expect_success(mpirun(2) + "scoremle train " + tiny + still + in(folder / "second") + from);
  EXPECT_NE(outcome.output.find("weights start as the averaged ones of " + (folder / "first").string() + " at step 4"),
            std::string::npos)
      << outcome.output;
  const auto averaged = tensor(folder / "first", 4, "ema", "down.0.0.conv0.weight");
  EXPECT_EQ(tensor(folder / "second", 1, "weights", "down.0.0.conv0.weight"), averaged);
  EXPECT_EQ(tensor(folder / "second", 1, "ema", "down.0.0.conv0.weight"), averaged);
  EXPECT_NE(tensor(folder / "first", 4, "weights", "down.0.0.conv0.weight"), averaged);
  // The moments are those of one step: m = (1 - beta1) g, v = (1 - beta2) g^2, beta1 = 0.9, beta2 = 0.999.
  const auto m = tensor(folder / "second", 1, "m", "down.0.0.conv0.bias"),
             v = tensor(folder / "second", 1, "v", "down.0.0.conv0.bias");
  for (std::size_t i = 0; i < m.size(); ++i) EXPECT_NEAR(v[i], 0.001 * m[i] * m[i] / 0.01, 1e-3 * v[i]) << i;
}

TEST(InitFrom, AnEarlierStepCanBeNamed) {
  tests::Folder folder("init_step");
  expect_success("scoremle train " + tiny + in(folder / "first"));
  expect_success("scoremle train " + tiny + still + in(folder / "second") + "--set 'training { init_from { run: \"" +
                 (folder / "first").string() + "\" step: 2 } }'");
  EXPECT_EQ(tensor(folder / "second", 1, "weights", "middle.0.conv0.weight"),
            tensor(folder / "first", 2, "ema", "middle.0.conv0.weight"));
}

TEST(InitFrom, EveryTensorThatDoesNotMatchIsListed) {
  tests::Folder folder("init_other");
  expect_success("scoremle train " + tiny + in(folder / "first"));
  // Two blocks instead of one, and colour.
  const auto outcome = expect_success("scoremle train " + tiny + still + in(folder / "second") + "--init-from " +
                                      (folder / "first").string() +
                                      " --set 'model { blocks: 2 attention_sizes: 8 } data { channels: 3 }'");
  for (const char* part : {"of another shape there; start at random:", "input.conv.weight [8,3,3,1], here [8,3,3,3]",
                           "not there; start at random:", "    down.0.1.conv0.weight [8,3,3,8]\n",
                           "    down.0.0.attention.qkv.weight [24,1,1,8]\n",
                           "only there; left out:", "    down.1.0.attention.qkv.weight [48,1,1,16]\n"}) {
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part << " in\n" << outcome.output;
  }
  EXPECT_EQ(tensor(folder / "second", 1, "weights", "time.0.dense.weight"),
            tensor(folder / "first", 4, "ema", "time.0.dense.weight"));
}

TEST(InitFrom, AResumedRunNeedsNoFlag) {
  tests::Folder folder("init_resume");
  expect_success("scoremle train " + tiny + in(folder / "first"));
  const std::string second = "scoremle train " + tiny + in(folder / "second");
  std::filesystem::create_directories(folder / "second");
  std::ofstream(folder / "second/HALT");
  EXPECT_EQ(run(second + "--init-from " + (folder / "first").string()).status, 75);
  std::filesystem::remove_all(folder / "first");
  std::filesystem::remove(folder / "second/HALT");
  expect_success(second + "--resume");
  const auto config = core::config::load(folder / "second/config.textproto", {}, {});
  EXPECT_EQ(config.training().init_from().run(), (folder / "first").string());
  EXPECT_EQ(config.training().init_from().step(), 4);
  const auto other = run(second + "--resume --init-from /elsewhere 2>&1 >/dev/null");
  EXPECT_EQ(other.status, 2) << other.output;
  EXPECT_NE(other.output.find("training.init_from.run: \"/elsewhere\""), std::string::npos) << other.output;
}

TEST(InitFrom, WrongOnesGetOneLine) {
  tests::Folder folder("init_wrong");
  expect_success("scoremle train " + tiny + in(folder / "first"));
  const std::string second = "scoremle train " + tiny + in(folder / "second");
  const auto line = [&](const std::string& flags) {
    const auto outcome = run(second + flags + " 2>&1 >/dev/null");
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    return outcome.output;
  };
  EXPECT_EQ(line("--init-from /nosuch"),
            "scoremle: /nosuch/ckpt has no checkpoint: train first, or name another run\n");
  EXPECT_EQ(line("--set 'training { init_from { step: -1 } }'"),
            "scoremle: configs/quickstart.textproto: 2 fields are wrong:\n  training.init_from.run: must be set: the "
            "folder of a run\n  training.init_from.step: is -1, must be at least 0\n");
  EXPECT_EQ(line("--init-from " + (folder / "first").string() + " --set 'model { channels: 12 } data { channels: 3 }'"),
            "scoremle: training.init_from: " + (folder / "first").string() +
                " holds no parameter of this model: none of its 142 has the name and the shape of one of these 142; "
                "name a run with a similar model\n");
}

}  // namespace
