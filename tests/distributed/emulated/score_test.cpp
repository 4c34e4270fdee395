// The score of a network on the emulated GPU, in f32 and in bf16, beside that of the CPU.
#include "core/objective/score_network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/config/load.h"
#include "core/sde/sde.h"
#include "distributed/binding.h"
#include "distributed/initial_weights.h"
#include "kernels/simt/emulated_device.h"
#include "tests/distance.h"

namespace distributed {
namespace {

struct Found {
  std::vector<double> score, trace;
};

/// Of ten images: more than one run of the network.
Found score_on(const std::shared_ptr<kernels::Device>& device, core::program::Storage storage) {
  const auto config = core::config::load_valid(
      "quickstart",
      {"model { channels: 8 channel_multipliers: [1, 2] blocks: 1 attention_sizes: 4 } data { image_size: 8 }"},
      {"configs"});
  const auto training = core::objective::record_training(config);
  const Layout layout = layout_of(training.program.parameters());
  Floats weights(layout.total);
  initialise(training.program, 1, layout, weights.span());
  for (std::size_t i = 0; i < weights.span().size(); ++i)  // the last layers begin near 0
    weights.span()[i] += 0.1f * static_cast<float>(std::sin(static_cast<double>(i)));
  const Mirrored mirrored(device, weights.span(), "weights");
  core::objective::ScoreNetwork network(core::model::unet_spec(config), core::sde::sde_of(config), 10, device, storage);
  bind_flat(network, layout, mirrored.device());
  const std::size_t n = 10, dims = 64;
  std::vector<double> t(n), x(n * dims), probe(n * dims), found(n * dims), again(n * dims), trace(n);
  for (std::size_t i = 0; i < n; ++i) t[i] = 0.05 + 0.09 * static_cast<double>(i);
  for (std::size_t i = 0; i < n * dims; ++i)
    x[i] = std::cos(0.7 * static_cast<double>(i)), probe[i] = i % 3 < 1 ? 1 : -1;
  network.score().with_trace(t, x, probe, found, trace);
  network.score().value(t, x, again);
  EXPECT_EQ(again, found) << "with its trace or without, the same score";
  return {found, trace};
}

TEST(EmulatedScore, IsThatOfTheCpuAndInBf16CloseToIt) {
  using core::program::Storage;
  const auto gpu = kernels::simt::make_emulated_device(std::size_t{1} << 30);
  const Found cpu = score_on(kernels::make_cpu_device(1), Storage::f32), wide = score_on(gpu, Storage::f32),
              narrow = score_on(gpu, Storage::bf16);
  EXPECT_LT(tests::distance(wide.score, cpu.score), 1e-5);
  EXPECT_LT(tests::distance(wide.trace, cpu.trace), 1e-5);
  EXPECT_LT(tests::distance(narrow.score, cpu.score), 0.03);
  EXPECT_LT(tests::distance(narrow.trace, cpu.trace), 0.1);
  EXPECT_GT(tests::distance(narrow.score, cpu.score), 1e-4) << "stored as bf16";
}

}  // namespace
}  // namespace distributed
