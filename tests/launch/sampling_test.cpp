// What is done with a trained run: likelihoods and samples that depend on nothing but the run, the images and the seed.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>

#include "distributed/events.h"
#include "tests/launch/tiny_run.h"

namespace {

using tests::contents;
using tests::expect_success;
using tests::in;
using tests::mpirun;
using tests::run;
using tests::tiny;
using tests::write_two_classes;

TEST(Evaluation, IsTheSameForEveryBatchSizeAndNumberOfRanks) {
  tests::Folder folder("evaluate");
  expect_success(run("scoremle train " + tiny + in(folder / "run", "steps: 5 ")));
  const auto figures = [&](const std::string& launcher, const std::string& batch) {
    const auto file = folder / "figures.tsv";
    const auto outcome =
        run(launcher + "scoremle evaluate --run " + (folder / "run").string() + " --images 7 --output " +
            file.string() + " --set 'evaluation { bound_times: 5 ode_tolerance: 1e-3 batch_images: " + batch + " }'");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    std::ifstream in(file);
    std::string header;
    std::getline(in, header);
    std::vector<double> values;
    for (double value; in >> value;) values.push_back(value);
    return values;
  };
  const auto expected = figures("", "3");
  ASSERT_EQ(expected.size(), 7u * 7u);
  for (const auto& found : {figures("", "1"), figures("", "17"), figures(mpirun(3), "2")}) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], expected[i], 1e-6 * std::abs(expected[i])) << i;
  }
}

TEST(Sampling, DoesNotDependOnTheNumberOfRanks) {
  tests::Folder folder("sample");
  expect_success(run("scoremle train " + tiny + in(folder / "run", "steps: 5 ")));
  const auto bytes = [&](const std::string& launcher, const std::string& sampler) {
    const auto file = folder / "samples.png";
    const auto outcome = run(launcher + "scoremle sample --run " + (folder / "run").string() + " --output " +
                             file.string() + " --set 'sampling { images: 5 steps: 4 sampler: " + sampler + " }'");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_NE(outcome.output.find("5 images of step 5, "), std::string::npos) << outcome.output;
    return contents(file);
  };
  for (const char* sampler : {"EULER_MARUYAMA", "PROBABILITY_FLOW", "DPM_SOLVER_2M", "HEUN churn { amount: 2 }",
                              "ANCESTRAL corrector { kind: LANGEVIN steps: 2 }"}) {
    const std::string alone = bytes("", sampler);
    EXPECT_GT(alone.size(), 300u);
    EXPECT_EQ(alone, bytes(mpirun(2), sampler)) << sampler;
  }
}

TEST(Sampling, OnTheWayIsWhatSampleDraws) {
  tests::Folder folder("samples_on_the_way");
  const std::string settings = "--set 'sampling { sampler: DDIM steps: 3 images: 5 }' ";
  expect_success(run(mpirun(2) + "scoremle train " + tiny + settings +
                     in(folder / "run", "steps: 6 sample_every: 4 sample_images: 5 ")));
  expect_success(run("scoremle sample --run " + (folder / "run").string()));
  EXPECT_EQ(contents(folder / "run/samples.png"), contents(folder / "run/samples_0000000006.png"));
  EXPECT_NE(contents(folder / "run/samples_0000000004.png"), contents(folder / "run/samples_0000000006.png"));
  std::vector<std::int64_t> steps;
  for (const auto& file : distributed::event_files(folder / "run")) {
    for (const auto& read : distributed::read_events(file)) {
      for (const auto& value : read.event.summary().value()) {
        if (value.tag() == "samples") steps.push_back(read.event.step());
      }
    }
  }
  EXPECT_EQ(steps, (std::vector<std::int64_t>{4, 6}));
}

TEST(Sampling, OnTheWayDoesNotEndARunWhereItFails) {
  tests::Folder folder("no_samples");
  const auto outcome = run(mpirun(2) + "scoremle train " + tiny +
                           "--set 'sampling { sampler: PROBABILITY_FLOW ode_max_evaluations: 20 }' " +
                           in(folder / "run", "steps: 6 sample_every: 3 "));
  expect_success(outcome);
  EXPECT_NE(outcome.output.find("step 3: no samples: "), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("step 6/6"), std::string::npos) << outcome.output;
  EXPECT_FALSE(std::filesystem::exists(folder / "run/samples_0000000003.png"));
}

TEST(Sampling, OfClassesIsThatOfTheirScores) {
  tests::Folder folder("sampled_classes");
  write_two_classes(folder / "pictures");
  expect_success(run("scoremle train " + tiny + "--set 'data { training { files { path: \"" +
                     (folder / "pictures").string() +
                     "\" } } } model { classes: 2 null_label_probability: 0.3 }' "
                     "--set 'optimizer { learning_rate: 1e-2 }' " +
                     in(folder / "run", "steps: 80 ")));
  const auto bytes = [&](const std::string& settings, const std::string& launcher = "") {
    const auto file = folder / "samples.png";
    expect_success(run(launcher + "scoremle sample --run " + (folder / "run").string() + " --output " + file.string() +
                       " --set 'sampling { images: 5 steps: 4 sampler: DDIM " + settings + " }'"));
    return contents(file);
  };
  const std::string without = bytes(""), first = bytes("classes: 0"), second = bytes("classes: 1"),
                    both = bytes("classes: [0, 1]");
  EXPECT_EQ(std::set({without, first, second, both}).size(), 4u);
  EXPECT_EQ(first, bytes("classes: [0, 0, 0]")) << "an image is drawn by its number, in whatever group";
  EXPECT_EQ(both, bytes("classes: [0, 1, 0, 1]"));
  EXPECT_EQ(both, bytes("classes: [0, 1]", mpirun(2)));
  EXPECT_EQ(without, bytes("classes: [0, 1] guidance: 0"));
  const std::string guided = bytes("classes: [0, 1] guidance: 3");
  EXPECT_NE(guided, both);
  EXPECT_EQ(guided, bytes("classes: [0, 1] guidance: 3", mpirun(3)));
}

TEST(Sampling, WritesAGridAnArrayOrSingleFiles) {
  tests::Folder folder("outputs");
  expect_success(run("scoremle train " + tiny + in(folder / "run", "steps: 2 ")));
  const auto sample = [&](const std::string& output) {
    const auto outcome = run("scoremle sample --run " + (folder / "run").string() + " --output " +
                             (folder / output).string() + " --set 'sampling { images: 3 steps: 3 sampler: DDIM }'");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_NE(outcome.output.find("3 images of step 2, 3 evaluations an image"), std::string::npos) << outcome.output;
  };
  sample("a.png");
  sample("b.npz");
  sample("c/");
  EXPECT_TRUE(contents(folder / "a.png").starts_with("\x89PNG"));
  EXPECT_TRUE(contents(folder / "b.npz").starts_with("PK"));
  for (const char* name : {"c/000000.png", "c/000001.png", "c/000002.png"})
    EXPECT_TRUE(contents(folder / name).starts_with("\x89PNG")) << name;
  EXPECT_FALSE(std::filesystem::exists(folder / "c/000003.png"));
  const auto wrong = run("scoremle sample --run " + (folder / "run").string() + " --output x.jpg");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_EQ(wrong.output,
            "scoremle: --output: x.jpg must end in .png (a grid), .npz (an array for NumPy) or / (a folder of single "
            "files)\n");
  const auto mixed =
      run("scoremle sample --run " + (folder / "run").string() + " --output " + (folder / "c/").string());
  EXPECT_EQ(mixed.status, 2);
  EXPECT_TRUE(mixed.output.starts_with("scoremle: " + (folder / "c/").string() + ": holds 00000") &&
              mixed.output.ends_with(".png already; images of two calls would mix: name another folder\n"))
      << mixed.output;
  const auto many = run("scoremle sample --run " + (folder / "run").string() + " --set 'sampling { images: 5000 }'");
  EXPECT_EQ(many.status, 2);
  EXPECT_NE(many.output.find("would be a grid of 5000 images, at most 4096 can be looked at"), std::string::npos)
      << many.output;
}

}  // namespace
