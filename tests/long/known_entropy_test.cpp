// Minutes of training on images of known entropy: the likelihoods approach it from above.
#include <gtest/gtest.h>

#include "core/config/load.h"
#include "core/data/dataset.h"
#include "tests/launch/process.h"
#include "tests/long/figures.h"

namespace {

TEST(KnownEntropy, IsApproachedFromAbove) {
  tests::Folder folder("entropy");
  const std::string run = (folder / "run").string();
  const auto trained = tests::run(
      tests::mpirun(2) + "scoremle train --config configs/quickstart.textproto --set 'training { directory: \"" + run +
      "\" steps: 3000 evaluate_every: 0 checkpoint_every: 3000 }'");
  ASSERT_EQ(trained.status, 0) << trained.output;
  const auto evaluated = tests::run(tests::mpirun(2) + "scoremle evaluate --run " + run + " --ode-images 48");
  ASSERT_EQ(evaluated.status, 0) << evaluated.output;
  std::printf("%s\n", evaluated.output.c_str());

  const auto config = core::config::load_valid(run + "/config.textproto", {}, {});
  const double entropy = core::data::open(config, config.data().heldout()).entropy()->bits_per_dim;
  const auto [bound, ode] = tests::figures(run + "/likelihood.tsv");
  EXPECT_EQ(bound.images, 512);
  EXPECT_EQ(ode.images, 48);
  EXPECT_GT(bound.mean, entropy - 3 * bound.standard_error);
  EXPECT_LT(bound.mean, entropy + 0.05);
  EXPECT_GT(ode.mean, entropy - 3 * ode.standard_error);
  EXPECT_LT(ode.mean, entropy + 0.05 + 3 * ode.standard_error);
}

}  // namespace
