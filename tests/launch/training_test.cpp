// Whole runs: the same bits on every number of ranks, after a resume, and from one reduction to the other nearly so.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "core/config/load.h"
#include "core/model/safetensors.h"
#include "core/objective/training_program.h"
#include "core/sde/sde.h"
#include "distributed/binding.h"
#include "distributed/checkpoint_read.h"
#include "tests/launch/tiny_run.h"

namespace {

using tests::expect_success;
using tests::in;
using tests::mpirun;
using tests::run;
using tests::tiny;
using tests::write_two_classes;

/// One section of the newest checkpoint, all of it.
std::vector<float> section(const std::filesystem::path& folder, const std::string& name) {
  const auto config = core::config::load_valid(folder / "config.textproto", {}, {});
  const auto training = core::objective::record_training(config);
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

double bound(const tests::Outcome& outcome) {
  std::smatch number;
  EXPECT_TRUE(std::regex_search(outcome.output, number, std::regex("variational bound +([0-9.]+)"))) << outcome.output;
  return number.empty() ? NAN : std::stod(number[1]);
}

// In bf16, too; it costs little of the likelihood, and a CPU that is slow at it is told of.
TEST(Training, InBf16HasTheSameBitsOnEveryNumberOfRanks) {
  tests::Folder folder("bf16");
  const std::string wide = tiny + "--set 'model { channels: 32 } training { steps: 12 }' ",
                    narrow = wide + "--set 'training { activations: BFLOAT16 }' ";
  expect_success(run("scoremle train " + wide + in(folder / "f32")));
  const auto alone = run("scoremle train " + narrow + in(folder / "1"));
  expect_success(alone);
  EXPECT_EQ(
      alone.output.find("training.activations: BFLOAT16 takes longer than FLOAT32 on this CPU") == std::string::npos,
      __builtin_cpu_supports("avx512bf16") != 0)
      << alone.output;
  for (int ranks : {2, 3}) {
    const auto other = folder / std::to_string(ranks);
    expect_success(
        run(mpirun(ranks) + "scoremle train " + narrow + in(other, ranks == 2 ? "sharding: OPTIMIZER " : "")));
    SCOPED_TRACE(ranks);
    expect_same_state(folder / "1", other);
  }
  const auto expected = losses(folder / "f32"), got = losses(folder / "1");
  ASSERT_EQ(expected.size(), 12u);
  ASSERT_EQ(got.size(), expected.size());
  EXPECT_NE(got, expected);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(got[i], expected[i], 0.02 * std::abs(expected[i])) << i;

  const std::string evaluate = "scoremle evaluate --estimator bound --images 32 --run " + (folder / "1").string();
  const double in_float = bound(run(evaluate)),
               in_bf16 = bound(run(evaluate + " --set 'evaluation { activations: BFLOAT16 }'"));
  EXPECT_NEAR(in_bf16, in_float, 0.02);
  EXPECT_NE(in_bf16, in_float);
}

/// What a run of two ranks comes to when one of them is stopped in its midst.
tests::Outcome run_with_a_rank_that_hangs(const std::filesystem::path& folder, int rank) {
  const std::string is_rank = fmt::format("grep -zqx OMPI_COMM_WORLD_RANK={} $process/environ", rank),
                    is_of_this_run = fmt::format("grep -zq {} $process/cmdline", folder.string());
  return run(fmt::format(
      "{}scoremle train {}{} --rank-timeout 2 & "
      "until grep -q loss_bits {} 2>/dev/null || ! kill -0 $!; do sleep 0.1; done; for process in /proc/[0-9]*; do "
      "{} && {} && kill -STOP ${{process#/proc/}}; done 2>/dev/null; wait $!",
      mpirun(2), tiny, in(folder, "steps: 1000000 "), (folder / "metrics.jsonl").string(), is_rank, is_of_this_run));
}

TEST(Training, ARankThatHangsEndsTheRunAndIsNamed) {
  tests::Folder folder("hangs");
  for (const int rank : {0, 1}) {
    const auto outcome = run_with_a_rank_that_hangs(folder / std::to_string(rank), rank);
    EXPECT_EQ(outcome.status, 6);
    const std::regex line("rank " + std::to_string(1 - rank) + " of 2 on [^ ]+: waited [0-9]+ s for rank " +
                          std::to_string(rank) + " on [^ ]+ in .*: it hangs, or is slower than --rank-timeout allows");
    EXPECT_TRUE(std::regex_search(outcome.output, line)) << outcome.output;
  }
}

TEST(Training, OfVdmsNetworkHasTheSameBitsOnEveryNumberOfRanks) {
  tests::Folder folder("vdm");
  const std::string vdm = tiny +
                          "--set 'model { time_label: LOG_SNR fourier_features: 2 time_bias: false adds_input: true "
                          "told_mirrored: true }' ";
  expect_success(run("scoremle train " + vdm + in(folder / "1", "steps: 6 ")));
  expect_success(run(mpirun(2) + "scoremle train " + vdm + in(folder / "2", "steps: 6 ")));
  expect_same_state(folder / "1", folder / "2");
  expect_success(run("scoremle evaluate --estimator bound --images 4 --run " + (folder / "1").string()));
}

TEST(Training, OfHalfTheSumHasTheGradientsOfTheMeanTimesHalfTheDimensions) {
  tests::Folder folder("reductions");
  const auto first_line = [&](const std::string& reduction) {
    expect_success(run("scoremle train " + tiny + in(folder / reduction, "steps: 1 ") +
                       "--set 'objective { loss_reduction: " + reduction + " } optimizer { warmup_steps: 0 }' "));
    return nlohmann::json::parse(tests::contents(folder / reduction / "metrics.jsonl"));
  };
  const auto mean = first_line("MEAN"), half_sum = first_line("HALF_SUM");
  EXPECT_EQ(half_sum["loss_bits"], mean["loss_bits"]);
  const double ratio = half_sum["gradient_norm"].get<double>() / mean["gradient_norm"].get<double>();
  EXPECT_NEAR(ratio, 8 * 8 / 2, 1e-4);
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
    return tests::contents(file);
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

TEST(Training, StopsAtALossThatIsNotFinite) {
  tests::Folder folder("loss");
  const auto outcome =
      run(mpirun(2) + "scoremle train " + tiny + in(folder / "run") + "--set 'optimizer { learning_rate: 1e30 }'");
  EXPECT_EQ(outcome.status, 5) << outcome.output;
  EXPECT_TRUE(std::regex_search(
      outcome.output, std::regex("scoremle: rank [01] of 2 on .*: step 1, micro-batch [0-5]: the loss of image [0-9]+ "
                                 "at time [0-9.e-]+ is -?(nan|inf), first seen in [A-Za-z]+ of [a-z0-9.]+; ")))
      << outcome.output;
}

// The network's last normalisation sees zeros, to which its gain of 1e35 does nothing; on the way back, that gain over
// the smallest standard deviation multiplies the gradient.
TEST(Training, StopsAtAGradientThatIsNotFiniteThoughTheLossIs) {
  tests::Folder folder("gradient");
  const std::string file = (folder / "weights.safetensors").string();
  expect_success(run("scoremle train " + tiny + in(folder / "first", "steps: 2 ")));
  expect_success(run("scoremle checkpoint export --run " + (folder / "first").string() + " --file " + file));
  core::model::SafeTensors weights = core::model::read_safetensors(file);
  for (auto& [name, tensor] : weights.tensors) {
    std::ranges::fill(tensor.values, name == "output.norm.gamma" ? 1e35F : name == "output.norm.beta" ? 1.F : 0.F);
    if (name == "output.conv.weight") std::ranges::fill(tensor.values, 1e3F);
  }
  std::filesystem::remove(file);
  core::model::write_safetensors(file, weights);
  expect_success(run("scoremle checkpoint import --file " + file + " --run " + (folder / "steep").string()));
  const auto outcome =
      run(mpirun(2) + "scoremle train " + tiny + in(folder / "run") + "--init-from " + (folder / "steep").string());
  EXPECT_EQ(outcome.status, 5) << outcome.output;
  EXPECT_TRUE(std::regex_search(outcome.output,
                                std::regex("scoremle: rank [01] of 2 on .*: step 0, micro-batch [0-5]: [A-Za-z]+ of "
                                           "[a-z0-9. ]+ is not finite \\(time [0-9.e-]+\\)")))
      << outcome.output;
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

}  // namespace
