// Whole training runs on the emulated GPU: the weights that the CPU comes to, saved and resumed.
#include "distributed/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <regex>

#include "core/config/load.h"
#include "distributed/binding.h"
#include "distributed/checkpoint_read.h"
#include "distributed/collectives.h"
#include "distributed/interrupt.h"
#include "kernels/simt/emulated_device.h"
#include "tests/distance.h"
#include "tests/distributed/nccl_double.h"
#include "tests/distributed/thread_communicator.h"
#include "tests/folder.h"

namespace distributed {
namespace {

core::config::RunConfig config_of(const std::filesystem::path& folder, const std::string& more = "") {
  return core::config::load_valid(
      "quickstart",
      {"model { channels: 8 channel_multipliers: [1, 2] blocks: 1 attention_sizes: 4 } data { image_size: 8 } "
       "evaluation "
       "{ bound_times: 2 batch_images: 8 }",
       "training { steps: 6 micro_batches: 2 micro_batch_images: 2 checkpoint_every: 3 evaluate_every: 6 "
       "evaluate_images: 2 directory: \"" +
           folder.string() + "\" } optimizer { warmup_steps: 0 }",
       more},
      {"configs"});
}

int train(const core::config::RunConfig& config, const std::shared_ptr<kernels::Device>& device,
          Start start = Start::fresh) {
  const auto communicator = make_solo_communicator();
  const auto training = core::data::open(config, config.data().training());
  const auto collectives = make_host_collectives(*communicator, device);
  return Trainer(config, *communicator, *collectives, device, training, &training, start).run();
}

std::shared_ptr<kernels::Device> gpu() {
  return kernels::simt::make_emulated_device(std::size_t{1} << 30);
}

std::vector<float> saved(const core::config::RunConfig& config, const char* section) {
  const auto communicator = make_solo_communicator();
  const Layout layout = layout_of(core::objective::record_training(config).program.parameters());
  const Floats flat(layout.total);
  load_section(*communicator, config.training().directory(), std::nullopt, layout, section, flat.span());
  return {flat.span().begin(), flat.span().end()};
}

class EmulatedTrainer : public ::testing::TestWithParam<const char*> {};

TEST_P(EmulatedTrainer, ComesToTheWeightsOfTheCpu) {
  const tests::Folder folder("emulated_trainer");
  const auto on_cpu = config_of(folder / "cpu", GetParam()), on_gpu = config_of(folder / "gpu", GetParam());
  ASSERT_EQ(train(on_cpu, kernels::make_cpu_device(1)), 0);
  ASSERT_EQ(train(on_gpu, gpu()), 0);
  for (const char* section : {"weights", "m", "ema"})
    EXPECT_LT(tests::distance(saved(on_gpu, section), saved(on_cpu, section)), 1e-3) << section;
}

INSTANTIATE_TEST_SUITE_P(Reductions, EmulatedTrainer,
                         ::testing::Values("training { reduction: DETERMINISTIC }", "training { reduction: FAST }",
                                           "training { sharding: OPTIMIZER }"),
                         [](const auto& info) { return std::to_string(info.index); });

TEST(EmulatedTraining, GoesOnWhereItStopped) {
  const tests::Folder folder("emulated_resume");
  const auto whole = config_of(folder / "whole"), parts = config_of(folder / "parts");
  ASSERT_EQ(train(whole, gpu()), 0);
  std::filesystem::create_directories(folder / "parts");
  std::ofstream(folder / "parts" / "HALT").put('\n');
  ASSERT_EQ(train(parts, gpu()), exit_interrupted);
  std::filesystem::remove(folder / "parts" / "HALT");
  ASSERT_EQ(train(parts, gpu(), Start::resume), 0);
  EXPECT_EQ(saved(parts, "weights"), saved(whole, "weights"));
  EXPECT_EQ(saved(parts, "ema"), saved(whole, "ema"));
}

/// The line that a device of so much memory gets.
std::string too_little(std::size_t bytes, const core::config::RunConfig& config) {
  try {
    train(config, kernels::simt::make_emulated_device(bytes));
    return "none";
  } catch (const kernels::InputError& error) {
    return error.what();
  }
}

// What training takes is counted beforehand, so that it fits exactly; images that do not fit are sent.
TEST(EmulatedTraining, KnowsItsMemoryBeforehand) {
  const tests::Folder folder("emulated_memory");
  const std::string images = "data { training { gaussian_field { images: 200000 } } }";  // 12 MiB
  const auto plenty = config_of(folder / "plenty", images), scarce = config_of(folder / "scarce", images);
  ASSERT_EQ(train(plenty, gpu()), 0);
  const std::string line = too_little(1 << 16, scarce);
  std::smatch number;
  ASSERT_TRUE(std::regex_match(
      line, number,
      std::regex("out of memory: training takes ([0-9.]+) GiB of the emulated GPU, which has 0.000 GiB free: use more "
                 "and smaller micro-batches, or training.recompute: BLOCKS")))
      << line;
  EXPECT_FALSE(std::filesystem::exists(folder / "scarce")) << "nothing was begun";
  const auto needed = static_cast<std::size_t>(std::stod(number[1]) * (1 << 30));
  ASSERT_EQ(train(scarce, kernels::simt::make_emulated_device(needed + (2 << 20))), 0);
  EXPECT_EQ(saved(scarce, "weights"), saved(plenty, "weights"));
}

TEST(EmulatedTraining, HasTheSameBitsOnOneAndOnTwoRanks) {
  const tests::Folder folder("emulated_ranks");
  const std::string fixed = "training { steps: 3 micro_batches: 3 activations: BFLOAT16 reduction: DETERMINISTIC ";
  const auto alone = config_of(folder / "alone", fixed + "}");
  ASSERT_EQ(train(alone, gpu()), 0);
  const auto on_two_ranks = [&](const char* name, const char* sharding, const auto& make_collectives) {
    const auto config = config_of(folder / name, fixed + "sharding: " + sharding + " }");
    testing::on_ranks(2, [&](Communicator& communicator) {
      const auto device = gpu();
      const auto collectives = make_collectives(communicator, device);
      const auto training = core::data::open(config, config.data().training());
      Trainer(config, communicator, *collectives, device, training, &training, Start::fresh).run();
    });
    for (const char* section : {"weights", "m", "v", "ema"})
      EXPECT_EQ(saved(config, section), saved(alone, section)) << name << ": " << section;
  };
  testing::NcclDouble nccl(2);
  const auto by_nccl = [&](Communicator& communicator, const auto& device) {
    return connect_nccl(nccl.calls(communicator.rank()), communicator, device);
  };
  on_two_ranks("nccl", "NONE", by_nccl);
  on_two_ranks("nccl_sharded", "OPTIMIZER", by_nccl);
  on_two_ranks("staged", "OPTIMIZER", [](Communicator& communicator, const auto& device) {
    return make_host_collectives(communicator, device);
  });
}

TEST(EmulatedTraining, TrainsInBf16) {
  const tests::Folder folder("emulated_bf16");
  const auto wide = config_of(folder / "f32"),
             narrow = config_of(folder / "bf16", "training { activations: BFLOAT16 }");
  ASSERT_EQ(train(wide, gpu()), 0);
  ASSERT_EQ(train(narrow, gpu()), 0);
  const double share = tests::distance(saved(narrow, "weights"), saved(wide, "weights"));
  EXPECT_LT(share, 0.05);
  EXPECT_GT(share, 0);
}

}  // namespace
}  // namespace distributed
