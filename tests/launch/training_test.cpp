// Whole runs: the same bits on every number of ranks, after a resume, and from one reduction to the other nearly so.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/config/load.h"
#include "core/objective/training_program.h"
#include "core/picture/png.h"
#include "core/sde/sde.h"
#include "distributed/checkpoint_read.h"
#include "distributed/evaluator.h"
#include "distributed/events.h"
#include "tests/launch/process.h"

namespace {

using tests::mpirun;
using tests::run;

/// A network small enough to train for 50 steps in seconds, with dropout, flips, attention and uneven shards.
const std::string tiny =
    "--config configs/quickstart.textproto --set 'model { channels: 8 channel_multipliers: [1, 2] dropout: 0.2 "
    "attention_sizes: 4 } "
    "data { image_size: 8 horizontal_flip: true } training { micro_batches: 6 micro_batch_images: 3 steps: 50 "
    "evaluate_every: 0 log_every: 1 checkpoint_every: 25 } "
    "optimizer { warmup_steps: 1 }' ";

std::string in(const std::filesystem::path& folder, const std::string& extra = "") {
  return "--set 'training { directory: \"" + folder.string() + "\" " + extra + "}' ";
}

/// The weights of the newest checkpoint, all of them.
std::vector<float> section(const std::filesystem::path& folder, const std::string& name) {
  const auto config = core::config::load_valid(folder / "config.textproto", {}, {});
  const auto training = core::objective::record_training(config, kernels::Mode::overwrite);
  const auto layout = distributed::layout_of(training.program.parameters());
  const auto communicator = distributed::make_solo_communicator();
  distributed::Floats flat(layout.total);
  distributed::load_section(*communicator, folder, std::nullopt, layout, name, flat.span());
  return {flat.span().begin(), flat.span().end()};
}

void expect_same_state(const std::filesystem::path& a, const std::filesystem::path& b) {
  for (const char* name : {"weights", "m", "v", "ema"}) EXPECT_EQ(section(a, name), section(b, name)) << name;
}

std::vector<double> losses(const std::filesystem::path& folder) {
  std::vector<double> values;
  std::ifstream file(folder / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto parsed = nlohmann::json::parse(line);
    if (parsed.contains("loss_bits")) values.push_back(parsed["loss_bits"]);
  }
  return values;
}

void expect_success(const tests::Outcome& outcome) {
  ASSERT_EQ(outcome.status, 0) << outcome.output;
}

TEST(Training, HasTheSameBitsOnEveryNumberOfRanks) {
  tests::Folder folder("ranks");
  expect_success(run("scoremle train " + tiny + in(folder / "1")));
  for (int ranks : {2, 3, 4, 6}) {
    const auto other = folder / std::to_string(ranks);
    expect_success(
        run(mpirun(ranks) + "scoremle train " + tiny + in(other, ranks % 2 == 0 ? "sharding: OPTIMIZER " : "")));
    SCOPED_TRACE(ranks);
    expect_same_state(folder / "1", other);
    EXPECT_EQ(losses(folder / "1"), losses(other));
  }
}

/// Twelve pictures of 8x8 in two classes, dark and bright.
void write_two_classes(const std::filesystem::path& folder) {
  for (const char* name : {"dark", "bright"}) {
    std::filesystem::create_directories(folder / name);
    for (int i = 0; i < 6; ++i) {
      core::picture::Picture picture{.width = 8, .height = 8, .channels = 1, .pixels = {}};
      for (int p = 0; p < 64; ++p)
        picture.pixels.push_back(static_cast<std::uint8_t>((name[0] == 'd' ? 40 : 200) + (7 * i + 3 * p) % 16));
      core::picture::write_png(folder / name / (std::to_string(i) + ".png"), picture);
    }
  }
}

TEST(Training, OfClassesHasTheSameBitsOnEveryNumberOfRanksAndIsEvaluatedByClass) {
  tests::Folder folder("classes");
  write_two_classes(folder / "pictures");
  const std::string pictures = "{ files { path: \"" + (folder / "pictures").string() + "\" } }";
  const std::string conditional = tiny + "--set 'data { training " + pictures + " heldout " + pictures +
                                  " } model { classes: 2 null_label_probability: 0.3 time_input: MODULATE }' ";
  expect_success(run("scoremle train " + conditional + in(folder / "1", "steps: 6 ")));
  expect_success(run(mpirun(3) + "scoremle train " + conditional + in(folder / "3", "steps: 6 ")));
  expect_same_state(folder / "1", folder / "3");
  const auto figures = [&](const std::string& launcher) {
    const auto file = folder / "figures.tsv";
    expect_success(run(launcher + "scoremle evaluate --estimator bound --run " + (folder / "1").string() +
                       " --output " + file.string()));
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string alone = figures("");
  EXPECT_EQ(std::count(alone.begin(), alone.end(), '\n'), 13);
  EXPECT_EQ(alone, figures(mpirun(2)));
}

TEST(Training, ResumesBitForBitOnAnotherNumberOfRanks) {
  tests::Folder folder("resume");
  expect_success(run("scoremle train " + tiny + in(folder / "whole")));
  // Stopped by the file HALT, which is noticed after the step that follows it: once some 20 steps are done, and then
  // after one more.
  const std::string cut = (folder / "cut").string();
  const auto first = run("(until grep -qs '\"step\":20}' " + cut + "/metrics.jsonl; do sleep 0.02; done; touch " + cut +
                         "/HALT) & " + mpirun(3) + "scoremle train " + tiny + in(folder / "cut"));
  EXPECT_EQ(first.status, 75) << first.output;
  const std::size_t done = losses(folder / "cut").size();
  EXPECT_GE(done, 20u);
  EXPECT_LT(done, 50u);
  const auto again =
      run(mpirun(2) + "scoremle train " + tiny + in(folder / "cut", "sharding: OPTIMIZER ") + "--resume");
  EXPECT_EQ(again.status, 75) << again.output;
  EXPECT_EQ(losses(folder / "cut").size(), done + 1);
  std::filesystem::remove(folder / "cut/HALT");
  expect_success(run(mpirun(4) + "scoremle train " + tiny + in(folder / "cut") + "--resume"));
  expect_same_state(folder / "whole", folder / "cut");
  EXPECT_EQ(losses(folder / "whole"), losses(folder / "cut"));
}

TEST(Training, ASignalMakesItSaveAndStop) {
  tests::Folder folder("signal");
  for (const char* signal : {"USR1", "TERM"}) {
    const auto run_folder = folder / signal;
    std::ofstream(folder / "job.sh") << tests::with_binary("scoremle train " + tiny + in(run_folder, "steps: 1000000 "))
                                     << "&\n"
                                     << "until [ -s " << (run_folder / "metrics.jsonl").string()
                                     << " ] || ! kill -0 $! 2>/dev/null; do sleep 0.1; done\nkill -" << signal
                                     << " $!\nwait $!\n";
    const auto stopped = run("sh " + (folder / "job.sh").string());
    EXPECT_EQ(stopped.status, 75) << signal << "\n" << stopped.output;
    const auto saved = losses(run_folder).size();
    const auto listed = run("scoremle checkpoint list " + run_folder.string());
    EXPECT_NE(listed.output.find(fmt::format("step_{:010}", saved)), std::string::npos) << signal << "\n"
                                                                                        << listed.output;
  }
}

TEST(Training, RecomputingBlocksDoesNotChangeABit) {
  tests::Folder folder("recompute");
  expect_success(run("scoremle train " + tiny + in(folder / "keep", "steps: 5 ")));
  expect_success(run("scoremle train " + tiny + in(folder / "blocks", "steps: 5 recompute: BLOCKS ")));
  expect_same_state(folder / "keep", folder / "blocks");
}

TEST(Training, FastReductionFollowsTheDeterministicOne) {
  tests::Folder folder("fast");
  expect_success(run("scoremle train " + tiny + in(folder / "deterministic")));
  expect_success(run(mpirun(2) + "scoremle train " + tiny + in(folder / "fast", "reduction: FAST bucket_kib: 64 ")));
  expect_success(run(mpirun(3) + "scoremle train " + tiny +
                     in(folder / "sharded", "reduction: FAST bucket_kib: 64 sharding: OPTIMIZER ")));
  const auto expected = losses(folder / "deterministic");
  ASSERT_EQ(expected.size(), 50u);
  for (const char* name : {"fast", "sharded"}) {
    const auto found = losses(folder / name);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(found[i], expected[i], 1e-5 * std::abs(expected[i])) << name << " step " << i;
  }
}

TEST(Training, SecondRunInTheSameFolderIsRefused) {
  tests::Folder folder("twice");
  expect_success(run("scoremle train " + tiny + in(folder / "run", "steps: 2 ")));
  const auto second = run("scoremle train " + tiny + in(folder / "run", "steps: 2 "));
  EXPECT_EQ(second.status, 2);
  EXPECT_NE(second.output.find("holds the checkpoints of a run; go on with it by --resume"), std::string::npos)
      << second.output;
}

TEST(Training, NothingIsThereToResumeFrom) {
  tests::Folder folder("nothing");
  const auto outcome = run("scoremle train " + tiny + in(folder / "run", "steps: 2 ") + "--resume 2>&1 >/dev/null");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.output, "scoremle: " + (folder / "run").string() +
                                ": has no checkpoint to resume from; leave out --resume to start\n");
}

TEST(Training, AFullDiskEndsTheRunOnlyWhereItsLastStateIsLost) {
  tests::Folder folder("full");
  std::filesystem::create_directories(folder / "disk");
  const std::string disk = (folder / "disk").string();
  // A disk of its own with room for one checkpoint of this model and not for two; any user may mount it in a namespace.
  std::ofstream(folder / "job.sh") << "mount -t tmpfs -o size=1200k none " << disk << "\n"
                                   << tests::with_binary("scoremle train " + tiny +
                                                         in(disk, "steps: 6 checkpoint_every: 2 "))
                                   << ">/dev/null\necho status $?\nls " << disk << "/ckpt\n";
  const auto outcome = run("unshare --user --map-root-user --mount sh " + (folder / "job.sh").string());
  EXPECT_NE(outcome.output.find("No space left on device"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("\nstatus 1\n"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("\nstep_0000000002-g00001\n"), std::string::npos) << outcome.output;
}

TEST(Training, AFoldersRunCannotGoOnWithAnotherModel) {
  tests::Folder folder("other");
  expect_success(run("scoremle train " + tiny + in(folder / "run", "steps: 2 ")));
  const auto other =
      run("scoremle train " + tiny + in(folder / "run", "steps: 2 ") + "--set 'optimizer { beta2: 0.9 }' --resume");
  EXPECT_EQ(other.status, 2) << other.output;
  EXPECT_NE(other.output.find("beta2"), std::string::npos) << other.output;
}

TEST(Training, ASingleHeldOutImageHasNoError) {
  tests::Folder folder("single");
  const auto outcome = run("scoremle train " + tiny +
                           in(folder / "run", "steps: 2 evaluate_every: 1 evaluate_images: 1 checkpoint_every: 1 "));
  expect_success(outcome);
  EXPECT_NE(outcome.output.find("± unknown bits/dim on 1 images"), std::string::npos) << outcome.output;
  expect_success(run("scoremle report --run " + (folder / "run").string()));
}

TEST(Training, AJobThatIsRefusedDoesNotDisturbTheOneThatRuns) {
  tests::Folder folder("refused");
  expect_success(run("scoremle train " + tiny + in(folder / "run", "steps: 2 ")));
  const auto generations = [&] { return run("ls -A " + (folder / "run/ckpt").string() + " | grep -c gen_").output; };
  const std::string before = generations();
  EXPECT_EQ(run("scoremle train " + tiny + in(folder / "run", "steps: 2 ") + "--set 'seed: 9' --resume").status, 2);
  EXPECT_EQ(generations(), before) << "a folder is claimed only by a job that may go on";
  EXPECT_EQ(run("scoremle train " + tiny + in(folder / "fresh") + "--resume").status, 2);
  EXPECT_FALSE(std::filesystem::exists(folder / "fresh/ckpt"));
}

TEST(Training, GoesOnOnlyOnTheSameImagesWhereverTheyLie) {
  tests::Folder folder("moved");
  write_two_classes(folder / "pictures");
  const auto on = [&](const std::string& pictures) {
    return "scoremle train " + tiny + "--set 'data { training { files { path: \"" + (folder / pictures).string() +
           "\" } } }' " + in(folder / "run", "steps: 30 ");
  };
  std::filesystem::create_directories(folder / "run");
  std::ofstream(folder / "run/HALT");
  EXPECT_EQ(run(on("pictures")).status, 75);
  std::filesystem::rename(folder / "pictures", folder / "moved");
  EXPECT_EQ(run(on("moved") + "--resume").status, 75);
  std::filesystem::remove(folder / "moved/dark/0.png");
  const auto changed = run(on("moved") + "--resume");
  EXPECT_EQ(changed.status, 2);
  EXPECT_NE(changed.output.find("was made with data.training.fingerprint: \""), std::string::npos) << changed.output;
}

TEST(Training, ANonFiniteLossNamesRankStepOperationAndTime) {
  tests::Folder folder("nan");
  const auto outcome = run(mpirun(2) + "scoremle train " + tiny + in(folder / "run") +
                           "--set 'optimizer { learning_rate: 1e30 gradient_clip: inf warmup_steps: 0 }'");
  EXPECT_EQ(outcome.status, 5) << outcome.output;
  for (const char* part : {"rank ", ": step 1, micro-batch ", " at time ", ", first seen in "})
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part << " in " << outcome.output;
}

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

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
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
    return bytes_of(file);
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
  EXPECT_EQ(bytes_of(folder / "run/samples.png"), bytes_of(folder / "run/samples_0000000006.png"));
  EXPECT_NE(bytes_of(folder / "run/samples_0000000004.png"), bytes_of(folder / "run/samples_0000000006.png"));
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

TEST(Training, OfOtherClassesThanItIsEvaluatedOnIsRefused) {
  tests::Folder folder("other_classes");
  write_two_classes(folder / "pictures");
  write_two_classes(folder / "heldout");
  std::filesystem::rename(folder / "heldout/dark", folder / "heldout/night");
  const auto outcome =
      run("scoremle train " + tiny + "--set 'data { training { files { path: \"" + (folder / "pictures").string() +
          "\" } } heldout { files { path: \"" + (folder / "heldout").string() + "\" } } } model { classes: 2 }' " +
          in(folder / "run", "evaluate_every: 1 "));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(
      outcome.output.ends_with("scoremle: data.heldout: its folders are other classes than data.training's: "
                               "class 1 is night there, and dark here\n"))
      << outcome.output;
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
    return bytes_of(file);
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
  EXPECT_TRUE(bytes_of(folder / "a.png").starts_with("\x89PNG"));
  EXPECT_TRUE(bytes_of(folder / "b.npz").starts_with("PK"));
  for (const char* name : {"c/000000.png", "c/000001.png", "c/000002.png"})
    EXPECT_TRUE(bytes_of(folder / name).starts_with("\x89PNG")) << name;
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
