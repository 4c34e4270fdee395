// What the command line says of itself: --help, and a dry run.
#include <gtest/gtest.h>

#include "tests/launch/process.h"

namespace {

using tests::run;

TEST(Help, ListsEveryCommandAndFlag) {
  const std::vector<std::pair<const char*, std::vector<const char*>>> all = {
      {"--help-all", {"train",    "--config",  "--set",   "--resume", "--init-from",  "--dry-run",   "--trace",
                      "evaluate", "--run",     "--step",  "--images", "--ode-images", "--estimator", "--on",
                      "--output", "sample",    "report",  "data",     "inspect",      "pack",        "checkpoint",
                      "list",     "show",      "verify",  "export",   "import",       "bench",       "step",
                      "score",    "reduction", "kernels", "--device", "tune",         "--tiles"}},
      {"data inspect --help", {"--config", "--set", "--files", "--size", "--channels", "--on", "--output"}},
      {"data pack --help", {"--config", "--files", "--size", "--output", "--shard-mib"}},
      {"checkpoint export --help", {"--run", "--file", "--names", "--weights", "--step"}},
      {"checkpoint import --help", {"--run", "--file", "--config", "--set"}},
      {"bench step --help", {"--config", "--set", "--runs", "--device", "--trace"}},
      {"bench tune --help", {"--config", "--set", "--runs", "--device", "--write"}},
      {"bench data --help", {"--packed", "--batch"}}};
  for (const auto& [command, parts] : all) {
    const auto help = run(std::string("scoremle ") + command);
    EXPECT_EQ(help.status, 0) << command;
    for (const char* part : parts) EXPECT_NE(help.output.find(part), std::string::npos) << command << ": " << part;
  }
}

TEST(DryRun, NeedsNoData) {
  const auto outcome = run("scoremle train --config cifar10_ddpmpp_vp_likelihood --dry-run");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("parameters         61804419"), std::string::npos);
}

TEST(DryRun, PrintsTheConfigTheProgramAndItsCost) {
  const auto outcome = run("scoremle train --config configs/quickstart.textproto --dry-run");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  for (const char* part : {"seed: 42", "ConvDataGradient", "parameters           748737", "GFLOP", "activations"})
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part;
}

}  // namespace
