// Minutes of training on four images: their likelihood comes down towards two bits an image and never below.
#include <gtest/gtest.h>

#include "tests/launch/process.h"
#include "tests/long/figures.h"

namespace {

TEST(FiniteSet, IsOverfittedFromAbove) {
  tests::Folder folder("finite");
  const std::string run = (folder / "run").string();
  const auto trained =
      tests::run(tests::mpirun(2) +
                 "scoremle train --config configs/quickstart.textproto --set 'data { image_size: 8 training { "
                 "finite_set { images: 4096 distinct: 4 } } } model { attention_sizes: 4 } training { directory: \"" +
                 run + "\" steps: 2000 evaluate_every: 0 checkpoint_every: 400 keep_checkpoints: 5 }'");
  ASSERT_EQ(trained.status, 0) << trained.output;
  const double truth = 2.0 / 64;
  double last = 8;
  for (const char* step : {"400", "1200", "2000"}) {
    const auto evaluated =
        tests::run(tests::mpirun(2) + "scoremle evaluate --on training --images 256 --ode-images 32 --run " + run +
                   " --step " + step);
    ASSERT_EQ(evaluated.status, 0) << evaluated.output;
    std::printf("%s\n", evaluated.output.c_str());
    const auto [bound, ode] = tests::figures(run + "/likelihood.tsv");
    EXPECT_GT(bound.mean, truth - 3 * bound.standard_error);
    EXPECT_GT(ode.mean, truth - 3 * ode.standard_error);
    EXPECT_LT(bound.mean, last) << "at step " << step;
    last = bound.mean;
  }
  EXPECT_LT(last, 2);
}

}  // namespace
