// Measurements, and the files that a timeline viewer opens.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/launch/process.h"

namespace {

using nlohmann::json;
using tests::run;

const std::string tiny =
    "--config configs/quickstart.textproto --set 'model { channels: 8 channel_multipliers: [1, 2] attention_sizes: 4 } "
    "data { image_size: 8 } training { micro_batches: 4 micro_batch_images: 3 evaluate_every: 0 } optimizer { "
    "warmup_steps: 1 }' ";

/// The events that take time, of a file that must be whole.
std::vector<json> spans_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<json> spans;
  const json whole = json::parse(in);
  for (const json& event : whole.at("traceEvents")) {
    if (event.at("ph") == "X") spans.push_back(event);
  }
  return spans;
}

double begin_of(const json& span) {
  return span.at("ts").get<double>();
}
double end_of(const json& span) {
  return begin_of(span) + span.at("dur").get<double>();
}

TEST(Trace, OfTrainingHoldsFiveStepsOfEveryRank) {
  tests::Folder folder("trace");
  const auto file = folder / "trace.json";
  const auto outcome = run(tests::mpirun(2) + "scoremle train " + tiny + "--trace " + file.string() +
                           " --set 'training { steps: 9 directory: \"" + (folder / "run").string() + "\" }'");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("trace: " + file.string()), std::string::npos);
  std::map<int, std::map<std::string, std::vector<json>>> by_rank;
  for (const json& span : spans_of(file)) by_rank[span.at("pid")][span.at("name")].push_back(span);
  ASSERT_EQ(by_rank.size(), 2u);
  for (auto& [rank, spans] : by_rank) {
    for (const char* step : {"step 1", "step 2", "step 3", "step 4", "step 5"}) {
      ASSERT_EQ(spans[step].size(), 1u) << rank;
      const json& whole = spans[step][0];
      // What ran in it: two of the four micro-batches, then the sum and the update.
      double inside = 0;
      std::map<std::string, int> count;
      for (const auto& [name, all] : spans) {
        for (const json& span : all) {
          if (name.starts_with("step ") || begin_of(span) < begin_of(whole) || end_of(span) > end_of(whole)) continue;
          inside += span.at("dur").get<double>();
          ++count[name];
        }
      }
      EXPECT_EQ(count["images"], 2);
      EXPECT_EQ(count["sum of gradients"], 1);
      EXPECT_EQ(count["update"], 1);
      EXPECT_GT(count["Conv"], 20);
      EXPECT_LE(inside, whole.at("dur").get<double>());
    }
    EXPECT_FALSE(spans.contains("step 0") || spans.contains("step 6"));
    EXPECT_NE(spans["Conv"][0].at("args").at("writes").get<std::string>().find("[3,8,8,"), std::string::npos);
  }
}

TEST(Trace, OfBenchStepHoldsEveryRecordOnce) {
  tests::Folder folder("bench_trace");
  const auto file = folder / "trace.json";
  const auto outcome = run("scoremle bench step --runs 1 " + tiny + "--trace " + file.string());
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  std::map<std::string, int> traced, counted;
  for (const json& span : spans_of(file)) ++traced[span.at("name")];
  // The table's lines: name, count, milliseconds, share.
  std::istringstream lines(outcome.output);
  for (std::string line; std::getline(lines, line);) {
    if (line.find('%') != std::string::npos) counted[line.substr(0, line.find("  "))] = std::stoi(line.substr(22));
  }
  EXPECT_EQ(traced, counted) << outcome.output;
  EXPECT_GT(traced.size(), 10u);
}

TEST(Bench, TimesAScoreAndItsTrace) {
  for (const std::string model : {"", "--set 'model { classes: 3 }' "}) {
    const auto outcome = run("scoremle bench score --runs 1 " + tiny + model);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    // The first program is forward alone, the second has its gradient with respect to the images and none of weights.
    const auto second = outcome.output.find("floor: products", outcome.output.find("\nscore: "));
    ASSERT_NE(second, std::string::npos) << outcome.output;
    EXPECT_LT(outcome.output.find("\nConv "), second);
    EXPECT_EQ(outcome.output.find("ConvDataGradient"), outcome.output.rfind("ConvDataGradient"));
    EXPECT_GT(outcome.output.find("\nConvDataGradient"), second);
    EXPECT_NE(outcome.output.find("\nscore and v^T (d score/dx) v (the ODE's): "), std::string::npos);
    EXPECT_EQ(outcome.output.find("WeightGradient"), std::string::npos);
  }
}

TEST(Bench, ListsKernelsWithWhatAGpuNeedsForThem) {
  const auto outcome = run("scoremle bench kernels " + tiny + "--set 'training { activations: BFLOAT16 }'");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  // Every record that a dry run prints is in one of the kernels.
  int listed = 0, described = 0;
  std::istringstream kernels(outcome.output), program(run("scoremle train --dry-run " + tiny).output);
  for (std::string line; std::getline(kernels, line);)
    if (line.find(" -> ") != std::string::npos && !line.starts_with("kernel ")) listed += std::stoi(line.substr(24));
  for (std::string line; std::getline(program, line);)
    described += line.size() > 28 && std::isdigit(line[4]) && line[5] == ' ' && line[0] == ' ' ? 1 : 0;
  EXPECT_GT(described, 100);
  EXPECT_EQ(listed, described) << outcome.output;
  EXPECT_NE(outcome.output.find(fmt::format(" {} records: floor ", listed)), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find(" bf16 -> "), std::string::npos);
}

TEST(Trace, WhatCannotBeTracedGetsOneLine) {
  tests::Folder folder("trace_wrong");
  const std::string in =
      "--set 'optimizer { decay: CONSTANT } training { steps: 1 directory: \"" + (folder / "run").string() + "\" }' ";
  const auto outcome = run("scoremle train " + tiny + in + "--trace " + (folder / "a.json").string());
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(outcome.output.ends_with(
      "scoremle: --trace: traces from the second step of a job on, but this one goes from step 0 to 1\n"))
      << outcome.output;
  const auto nowhere = run("scoremle train " + tiny + in + "--trace /nosuch/a.json");
  EXPECT_EQ(nowhere.status, 2);
  EXPECT_TRUE(nowhere.output.find("/nosuch/a.json") != std::string::npos) << nowhere.output;
  EXPECT_EQ(run("scoremle train " + tiny + in).status, 0) << "the folder is still free";
}

}  // namespace
