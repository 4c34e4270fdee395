// Minutes of training on images of known entropy: the likelihoods approach it from above.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "core/config/load.h"
#include "core/data/dataset.h"
#include "tests/launch/process.h"

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
  struct Sums {
    double sum = 0, squares = 0, count = 0;
    void add(double value) { sum += value, squares += value * value, ++count; }
    double mean() const { return sum / count; }
    double standard_error() const { return std::sqrt((squares / count - mean() * mean()) / count); }
  } bound, ode;
  std::ifstream file(run + "/likelihood.tsv");
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string field[7];
    for (auto& text : field) std::getline(fields, text, '\t');
    bound.add(std::stod(field[1]));
    if (!field[5].empty()) ode.add(std::stod(field[5]));
  }
  EXPECT_EQ(bound.count, 512);
  EXPECT_EQ(ode.count, 48);
  EXPECT_GT(bound.mean(), entropy - 3 * bound.standard_error());
  EXPECT_LT(bound.mean(), entropy + 0.05);
  EXPECT_GT(ode.mean(), entropy - 3 * ode.standard_error());
  EXPECT_LT(ode.mean(), entropy + 0.1);
}

}  // namespace
