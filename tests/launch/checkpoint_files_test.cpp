// Weights out of a run and into another, and what the network then computes.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/config/load.h"
#include "core/model/safetensors.h"
#include "core/objective/score_network.h"
#include "core/sde/sde.h"
#include "distributed/binding.h"
#include "distributed/checkpoint_read.h"
#include "tests/launch/process.h"
#include "tests/shared_data.h"

namespace {

using tests::run;

const std::string tiny =
    "--config configs/quickstart.textproto --set 'model { channels: 8 channel_multipliers: [1, 2] attention_sizes: 4 } "
    "data { image_size: 8 channels: 3 } training { micro_batches: 2 micro_batch_images: 3 steps: 4 evaluate_every: 0 "
    "checkpoint_every: 2 } optimizer { warmup_steps: 1 } evaluation { bound_times: 2 }' ";

tests::Outcome expect_success(const std::string& command) {
  const tests::Outcome outcome = run(command);
  EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome.output;
  return outcome;
}

void train(const std::filesystem::path& folder) {
  expect_success("scoremle train " + tiny + "--set 'training { directory: \"" + folder.string() + "\" }'");
}

/// A run's newest averaged weights in its network.
struct TrainedRun {
  explicit TrainedRun(const std::filesystem::path& folder, const std::string& section = "ema")
      : config(core::config::load_valid(folder / "config.textproto", {}, {})),
        network(core::model::unet_spec(config), core::sde::sde_of(config), 8, kernels::make_cpu_device(2)),
        layout(distributed::layout_of(network.parameters())),
        weights(layout.total) {
    const auto communicator = distributed::make_solo_communicator();
    distributed::load_section(*communicator, folder, std::nullopt, layout, section, weights.span());
    distributed::bind_flat(network, layout, weights.span());
  }
  std::vector<float> flat() const { return {weights.span().begin(), weights.span().end()}; }
  core::config::RunConfig config;
  core::objective::ScoreNetwork network;
  distributed::Layout layout;
  distributed::Floats weights;
};

TEST(CheckpointFiles, ComeBackBitForBit) {
  tests::Folder folder("files");
  train(folder / "run");
  const TrainedRun averaged(folder / "run"), current(folder / "run", "weights");
  ASSERT_NE(averaged.flat(), current.flat());
  struct Case {
    std::string name, flags;
    const TrainedRun& expected;
  };
  for (const Case& c : {Case{"ours", "", averaged}, Case{"reference", "--names reference ", averaged},
                        Case{"current", "--weights current ", current}}) {
    const auto file = folder / (c.name + ".safetensors"), again = folder / (c.name + "_again.safetensors");
    const auto imported = folder / ("imported_" + c.name);
    expect_success("scoremle checkpoint export --run " + (folder / "run").string() + " --file " + file.string() + " " +
                   c.flags);
    expect_success("scoremle checkpoint import --file " + file.string() + " --run " + imported.string());
    EXPECT_EQ(TrainedRun(imported).flat(), c.expected.flat()) << c.name;
    EXPECT_EQ(TrainedRun(imported, "weights").flat(), c.expected.flat()) << c.name;
    expect_success("scoremle checkpoint export --run " + imported.string() + " --file " + again.string() + " " +
                   c.flags);
    const auto first = core::model::read_safetensors(file), second = core::model::read_safetensors(again);
    ASSERT_EQ(first.tensors.size(), second.tensors.size());
    for (const auto& [name, tensor] : first.tensors) EXPECT_EQ(tensor.values, second.tensors.at(name).values) << name;
    EXPECT_EQ(first.metadata.at("scoremle.step"), "4");
  }
  // An imported run is a run like any other.
  const std::string imported = (folder / "imported_ours").string();
  expect_success("scoremle evaluate --run " + imported + " --images 2 --estimator bound");
  expect_success("scoremle sample --run " + imported + " --set 'sampling { images: 1 steps: 2 }'");
}

TEST(CheckpointFiles, AnImportedRunIsTrainedOnImagesOfItsOwn) {
  tests::Folder folder("imported_training");
  train(folder / "run");
  const std::string file = (folder / "a.safetensors").string(), imported = (folder / "imported").string();
  expect_success("scoremle checkpoint export --names reference --run " + (folder / "run").string() + " --file " + file);
  const std::string config =
      "--config images32 --set 'data { image_size: 8 } model { channels: 8 blocks: 1 "
      "channel_multipliers: [1, 2] attention_sizes: 4 } training { steps: 3 micro_batches: 2 "
      "micro_batch_images: 3 evaluate_every: 0 checkpoint_every: 3 } optimizer { warmup_steps: 1 "
      "}' ";
  expect_success("scoremle checkpoint import " + config + "--file " + file + " --run " + imported);
  const std::string resume = "scoremle train " + config +
                             "--set 'data { training { uniform_pixels { images: 9 } } } "
                             "training { directory: \"" +
                             imported + "\" }' --resume";
  const auto outcome = expect_success(resume);
  EXPECT_NE(outcome.output.find("resumed from step_0000000000-g00001 at step 0"), std::string::npos) << outcome.output;
  EXPECT_EQ(run(resume + " --set 'seed: 9'").status, 2) << "what else differs is still refused";
}

class Reference : public testing::TestWithParam<const char*> {};

TEST_P(Reference, AnImportedNetworkComputesWhatTheOriginalDid) {
  tests::Folder folder("reference");
  const auto path = tests::shared(std::string("fixtures/") + GetParam());
  const std::string kind = std::string(GetParam()).find("subvp") == std::string::npos ? "VP" : "SUB_VP";
  expect_success("scoremle checkpoint import --file " + path.string() + " --run " + (folder / "run").string() +
                 " --config configs/quickstart.textproto --set 'data { channels: 3 } sde { kind: " + kind + " }'");
  const auto file = core::model::read_safetensors(path);
  TrainedRun imported(folder / "run");
  const auto& x = file.tensors.at("xt");
  const std::size_t n = static_cast<std::size_t>(x.shape[0]), c = 3, pixels = 16 * 16, dims = c * pixels;
  const auto nhwc = [&](const std::vector<float>& values) {
    std::vector<double> out(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t image = i / dims, channel = i / pixels % c, pixel = i % pixels;
      out[image * dims + pixel * c + channel] = values[i];
    }
    return out;
  };
  const auto& times = file.tensors.at("t").values;
  const std::vector<double> t(times.begin(), times.end()), expected = nhwc(file.tensors.at("output").values);
  std::vector<double> score(n * dims);
  imported.network.score().value(t, nhwc(x.values), score);
  double difference = 0, magnitude = 0;
  for (std::size_t i = 0; i < score.size(); ++i) {  // output = -score x standard deviation
    const double output = -score[i] * file.tensors.at("std").values[i / dims];
    difference = std::max(difference, std::abs(output - expected[i]));
    magnitude = std::max(magnitude, std::abs(expected[i]));
  }
  EXPECT_LT(difference, 1e-4 * magnitude);
}

INSTANTIATE_TEST_SUITE_P(
    Ddpmpp, Reference,
    testing::ValuesIn(tests::present({"ddpmpp_vp.safetensors", "ddpmpp_subvp.safetensors"}, "fixtures/")),
    [](const auto& info) { return std::string(info.param).substr(0, std::string(info.param).find('.')); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Reference);

TEST(CheckpointFiles, WrongOnesGetOneLine) {
  tests::Folder folder("wrong_files");
  train(folder / "run");
  const std::string run_folder = (folder / "run").string(), file = (folder / "a.safetensors").string(),
                    reference = (folder / "r.safetensors").string(), fresh = (folder / "new").string();
  expect_success("scoremle checkpoint export --run " + run_folder + " --file " + file);
  expect_success("scoremle checkpoint export --names reference --run " + run_folder + " --file " + reference);
  std::ofstream(folder / "cut.safetensors", std::ios::binary) << tests::contents(file).substr(0, 20000);
  std::ofstream(folder / "text.safetensors") << "no weights at all";
  core::model::SafeTensors bare = core::model::read_safetensors(reference);
  bare.metadata.clear();
  core::model::write_safetensors(folder / "bare.safetensors", bare);
  const std::string at = folder.text() + "/", import = "scoremle checkpoint import --run " + fresh + " --file ";
  struct Wrong {
    std::string command, part;
  };
  for (const Wrong& wrong : {
           Wrong{import + "/nosuch", "/nosuch: is no file that can be opened"},
           Wrong{import + at + "text.safetensors", "text.safetensors: is not a safetensors file"},
           Wrong{import + at + "cut.safetensors", "the file is damaged or cut off"},
           Wrong{import + at + "bare.safetensors",
                 "bare.safetensors: holds weights, but no config of scoremle: name the one of their network with "
                 "--config"},
           Wrong{import + file + " --set 'model { channels: 16 }'",
                 "a.safetensors: does not hold the config's network; 141 have another shape or type: "
                 "down.0.0.conv0.bias [8], "
                 "not [16], "},
           Wrong{import + file + " --set 'model { blocks: 2 }'", "a.safetensors: does not hold the config's network; "},
           Wrong{import + reference + " --set 'model { skip_rescale: false }'",
                 "r.safetensors: is of another network; skip_rescale is True, the config's False: change the config "
                 "with --set"},
           Wrong{import + reference + " --set 'sde { kind: VE }'", "sde is VPSDE, the config's VESDE"},
           Wrong{"scoremle checkpoint import --file " + file + " --run " + run_folder,
                 run_folder + ": holds the checkpoints of a run"},
           Wrong{"scoremle checkpoint export --run " + run_folder + " --file " + at + " --step 4", "is a folder"},
           Wrong{"scoremle checkpoint export --run " + run_folder + " --file " + file + " --step 3",
                 "has no checkpoint of step 3"},
           Wrong{"scoremle checkpoint export --run " + run_folder + " --file " + file + " --names theirs", "--names: "},
           Wrong{"scoremle checkpoint export --file " + file, "--run is required"},
       }) {
    const auto outcome = run(wrong.command);
    EXPECT_EQ(outcome.status, 2) << wrong.command << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find(wrong.part), std::string::npos) << wrong.command << "\n" << outcome.output;
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
    EXPECT_FALSE(std::filesystem::exists(fresh)) << wrong.command;
  }
}

}  // namespace
