// What is wrong and the line it gets: exit status 2, one line that says what, where and what to do.
#include <gtest/gtest.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "tests/launch/process.h"

namespace {

using tests::run;

struct Wrong {
  std::string command, line;
};

void expect_line(const Wrong& wrong) {
  const tests::Outcome outcome = run(wrong.command);
  EXPECT_EQ(outcome.status, 2) << wrong.command << "\n" << outcome.output;
  EXPECT_EQ(outcome.output, "scoremle: " + wrong.line + "\n") << wrong.command;
}

const std::string quick = "scoremle train --config configs/quickstart.textproto --dry-run ";

TEST(WrongInput, Usage) {
  for (const Wrong& wrong : {
           Wrong{"scoremle ", "A subcommand is required (see scoremle --help)"},
           Wrong{"scoremle trian",
                 "trian: is no command; commands are: train evaluate sample report data "
                 "checkpoint bench"},
           Wrong{"scoremle data nosuch", "data nosuch: is no command; commands are: inspect pack"},
           Wrong{"scoremle bench", "A subcommand is required (see scoremle bench --help)"},
           Wrong{"scoremle train", "--config is required (see scoremle train --help)"},
           Wrong{"scoremle train --config", "--config: 1 required FILE|PRESET missing (see scoremle train --help)"},
           Wrong{"scoremle train --config quickstart extra",
                 "The following argument was not expected: extra (see scoremle train --help)"},
           Wrong{"scoremle sample", "--run is required (see scoremle sample --help)"},
           Wrong{"scoremle train --config configs/quickstart.textproto --foo",
                 "The following argument was not expected: --foo (see scoremle train --help)"},
           Wrong{"scoremle bench step --config configs/quickstart.textproto --runs 0",
                 "--runs: is 0, must be a whole number of at least 1 (see scoremle bench step --help)"},
           Wrong{"scoremle evaluate --run x --images many",
                 "--images: is many, must be a whole number of at least 1 (see scoremle evaluate --help)"},
           Wrong{"scoremle evaluate --run x --images -3",
                 "--images: is -3, must be a whole number of at least 1 (see scoremle evaluate --help)"},
           Wrong{"scoremle evaluate --run x --step -3",
                 "--step: is -3, must be a whole number of at least 0 (see scoremle evaluate --help)"},
           Wrong{"scoremle evaluate --run x --images 99999999999999999999",
                 "--images: is 99999999999999999999, must be a whole number of at least 1 (see scoremle evaluate "
                 "--help)"},
           Wrong{"scoremle evaluate --run x --estimator maybe",
                 "--estimator: maybe not in {bound,ode,both} (see scoremle evaluate --help)"},
           Wrong{"scoremle train --config quickstart --device gpu",
                 "--device: gpu not in {cpu,cuda,auto} (see scoremle train --help)"},
           Wrong{"scoremle bench step --config quickstart --tiles nowhere.txt",
                 "nowhere.txt: cannot be read: name a file that scoremle bench tune has written"},
           Wrong{"scoremle bench tune --config quickstart --write tiles.txt",
                 "--device: is the CPU, which has no tiles: tune on a GPU, with --device cuda"},
           Wrong{"scoremle data inspect --config quickstart --files configs",
                 "--config excludes --files (see scoremle data inspect --help)"},
           Wrong{"scoremle data inspect --size 8", "--size requires --files (see scoremle data inspect --help)"},
           Wrong{"scoremle data inspect --files configs --size 8 --set 'seed: 1'",
                 "--set requires --config (see scoremle data inspect --help)"},
           Wrong{"scoremle data inspect --files configs --size 8 --channels 2",
                 "--channels: 2 not in {1,3} (see scoremle data inspect --help)"},
           Wrong{"scoremle checkpoint show /nosuch",
                 "checkpoint: Directory does not exist: /nosuch (see scoremle checkpoint show --help)"},
           Wrong{"scoremle checkpoint verify configs", "cannot open configs/MANIFEST.pb: No such file or directory"},
           Wrong{"scoremle data inspect", "data: give --config, or --files and --size"},
           Wrong{"scoremle evaluate --run /nosuch", "/nosuch: is not the folder of a run (it has no config.textproto)"},
           Wrong{"scoremle checkpoint list configs",
                 "configs: has no checkpoints; name the folder of a run (training.directory)"},
       }) {
    expect_line(wrong);
  }
}

TEST(WrongInput, Configs) {
  std::set<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator("configs")) names.insert(file.path().stem());
  const std::string presets = fmt::format(": is neither a file nor a preset; presets are: {}", fmt::join(names, " "));
  for (const Wrong& wrong : {
           Wrong{"scoremle train --config configs", "configs" + presets},
           Wrong{"scoremle train --config /dev/null", "/dev/null" + presets},
           Wrong{quick + "--set 'optimizer { learning_rate: 1'",
                 "--set 'optimizer { learning_rate: 1':1:29: Expected identifier, got: "},
           Wrong{quick + "--set 'optimizer learning_rate: 1 }'",
                 "--set 'optimizer learning_rate: 1 }':1:11: Expected \"{\", found \"learning_rate\"."},
           Wrong{quick + "--set 'name: \"a\" }'", "--set 'name: \"a\" }':1:11: Expected identifier, got: }"},
           Wrong{quick + "--set 'training { micro_batches: 3000000000 }'",
                 "--set 'training { micro_batches: 3000000000 }':1:27: Integer out of range (3000000000)"},
           Wrong{quick + "--set 'training { steps: 1.5 }'",
                 "--set 'training { steps: 1.5 }':1:19: Expected integer, got: 1.5"},
           Wrong{quick + "--set 'base: \"images32\"'",
                 "--set 'base: \"images32\"': base: stands in config files only; give that file to --config"},
           Wrong{quick + "--set 'seed: -1'", "configs/quickstart.textproto: seed: is -1, must be at least 0"},
           Wrong{quick + "--set 'sde { beta_max: nan }'",
                 "configs/quickstart.textproto: sde.beta_max: is nan, must be in (0.1, 1000]"},
           Wrong{quick + "--set 'optimizer { epsilon: inf }'",
                 "configs/quickstart.textproto: optimizer.epsilon: is inf, must be greater than 0"},
           Wrong{quick + "--set 'evaluation { ode_max_evaluations: 6 }'",
                 "configs/quickstart.textproto: evaluation.ode_max_evaluations: is 6, must be at least 7"},
           Wrong{quick + "--set 'sampling { ode_max_evaluations: 6 }'",
                 "configs/quickstart.textproto: sampling.ode_max_evaluations: is 6, must be at least 7"},
           Wrong{quick + "--set 'data { training { gaussian_field { images: 9000000000000000000 } } }'",
                 "configs/quickstart.textproto: data.training.gaussian_field.images: is 9e+18, must be in [1, "
                 "4.611686018427388e+18]"},
           Wrong{quick + "--set 'data { training { finite_set { images: 10 distinct: 4 } } }'",
                 "configs/quickstart.textproto: data.training.finite_set.images: is 10, must be a multiple of the 4 "
                 "distinct images: each occurs equally often"},
           Wrong{quick + "--set 'model { channel_multipliers: [] attention_sizes: [] }'",
                 "configs/quickstart.textproto: model.channel_multipliers: must have one entry a level, for example "
                 "[1, 2, 2]"},
           Wrong{"scoremle train --config nosuch", "nosuch" + presets},
           Wrong{quick + "--set 'optimizer { lr: 1 }'",
                 "--set 'optimizer { lr: 1 }':1:15: Message type \"core.config.Optimizer\" has no field named \"lr\"."},
           Wrong{quick + "--set 'seed: x'", "--set 'seed: x':1:7: Expected integer, got: x"},
           Wrong{quick + "--set 'seed: 1 seed: 2'",
                 "--set 'seed: 1 seed: 2':1:13: Non-repeated field \"seed\" is specified multiple times."},
           Wrong{quick + "--set 'sde { kind: WP }'",
                 "--set 'sde { kind: WP }':1:16: Unknown enumeration value of \"WP\" for field \"kind\"."},
           Wrong{quick + "--set 'model { channels: 30 }'",
                 "configs/quickstart.textproto: model.channels: is 30, must be a multiple of 4"},
           Wrong{quick + "--set 'data { image_size: 18 } model { attention_sizes: 9 channel_multipliers: [1, 2, 2] }'",
                 "configs/quickstart.textproto: model.channel_multipliers: 3 levels halve an image of 18 pixels to an "
                 "odd or too small size"},
           Wrong{"scoremle train --config configs/images32.textproto",
                 "data.training: must be set: files, packed, gaussian_field, uniform_pixels or "
                 "finite_set; for example --set 'data { training { files { "
                 "path: \"photos\" } } }'"},
           Wrong{quick + "--set 'data { training { packed { stage_to: \"\" } } }'",
                 "configs/quickstart.textproto: 2 fields are wrong:\n  data.training.packed.path: must name the folder "
                 "of a packed "
                 "set\n  data.training.packed.stage_to: must name a folder, or be left out"},
       }) {
    expect_line(wrong);
  }
}

/// What --device auto says of this machine: the device that it took, and why that is the CPU where it is.
std::string device_line(const std::string& command) {
  const auto outcome = run(command + " --device auto");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  const std::string line = outcome.output.substr(0, outcome.output.find('\n'));
  EXPECT_TRUE(std::regex_match(
      line,
      std::regex("device: (GPU [0-9]+, .*|CPU, 1 thread, for (this program was built without CUDA: build it where "
                 "nvcc is, with -DSCOREMLE_CUDA=ON|there is no NVIDIA driver here: start this on a machine with "
                 "GPUs|no GPU is to be seen: .*|the NVIDIA driver is for .*|GPU [0-9]+, .*), or use --device "
                 "cpu)")))
      << line;
  return line;
}

TEST(WrongInput, AGpuWhereThereIsNone) {
  const std::string line = device_line(quick), before = "device: CPU, 1 thread, for ";
  if (!line.starts_with(before)) return;  // there is one
  for (const std::string& command : std::vector<std::string>{quick, "scoremle bench step --config quickstart",
                                                             "scoremle bench score --config quickstart"})
    expect_line({command + " --device cuda", "--device cuda: " + line.substr(before.size())});
  // Said once, before any work, under mpirun too.
  tests::Folder folder("no_gpu");
  const auto outcome = run(tests::mpirun(2) +
                           "scoremle train --config quickstart --device cuda --set 'training { "
                           "directory: \"" +
                           folder.text() + "/run\" }'");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(outcome.output.starts_with("scoremle: --device cuda: " + line.substr(before.size()) + "\n"))
      << outcome.output;
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
}

TEST(WrongInput, ADriverThatIsTooOldOrHasNoGpu) {
  const std::filesystem::path folder = std::filesystem::path(BUILD_FOLDER) / "fake_driver";
  const auto with_driver = [&](const std::string& version) {
    return "FAKE_DRIVER=" + version + " LD_LIBRARY_PATH=" + folder.string() + " " + quick + "--device cuda";
  };
  if (device_line(quick).find("this program was built without CUDA") != std::string::npos) {
    return expect_line({with_driver("12040"),
                        "--device cuda: this program was built without CUDA: build it where nvcc is, with "
                        "-DSCOREMLE_CUDA=ON, or use --device cpu"});
  }
  ASSERT_TRUE(std::filesystem::exists(folder / "libcuda.so.1")) << "a build with CUDA makes it";
  expect_line({with_driver("12040"),
               "--device cuda: the NVIDIA driver is for CUDA 12.4 and older, this program needs 13.0: update the "
               "driver, or use --device cpu"});
  expect_line({with_driver("13000"),
               "--device cuda: no GPU is to be seen: ask for some and see that CUDA_VISIBLE_DEVICES names them, or use "
               "--device cpu"});
}

TEST(WrongInput, MoreActivationsThanMemory) {
  const auto outcome = run(quick + "--set 'training { micro_batch_images: 1000000 }'");
  EXPECT_EQ(outcome.status, 2);
  // How many depends on the vectors of this CPU.
  EXPECT_TRUE(
      std::regex_match(outcome.output, std::regex("scoremle: out of memory: activations need 8[0-9][0-9]\\.[0-9]+ "
                                                  "GiB; use fewer images per batch, or training.recompute: "
                                                  "BLOCKS\n")))
      << outcome.output;
}

TEST(WrongInput, APresetThatThereIsNot) {
  const auto outcome = run("scoremle train --config nosuch");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.output.find("scoremle: nosuch: is neither a file nor a preset; presets are: adm64 "), 0u)
      << outcome.output;
  EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1);
}

TEST(WrongInput, Data) {
  tests::Folder folder("data");
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << bytes;
  };
  write("text/a.png", "no image");
  write("other/a.webp", "RIFF....WEBP");
  write("empty/a.jpg", "");
  write("cut/a.jpg", "\xff\xd8\xff\xe0");
  write("half.tar", std::string(700, 'x'));
  write("odd.bin", std::string(100, 'x'));
  write("small.bin", std::string(1, '\0') + std::string(3072, 'x'));
  std::filesystem::create_directories(folder / "loop");
  std::filesystem::create_symlink("itself", folder / "loop/itself");
  write("a.npy", "no array");
  write("a.npz", "no zip");
  write("t-images-idx3-ubyte", "no images");
  write("packed/index", "no index");
  const std::string at = folder.text() + "/",
                    inspect = "scoremle data inspect --output " + at + "sheet.png --size 8 --files ";
  const std::string advice = "; remove it, or leave such files out with data { unreadable: SKIP }";
  for (const Wrong& wrong : {
           Wrong{inspect + "/nosuch", "/nosuch: no such file or folder"},
           Wrong{inspect + "README.md",
                 "README.md: is no folder, .tar, CIFAR .bin, .npy, .npz or MNIST ...-idx3-ubyte(.gz)"},
           Wrong{inspect + "configs", "configs: holds no .png, .jpg or .jpeg"},
           Wrong{inspect + at + "text", at + "text/a.png is neither PNG nor JPEG" + advice},
           Wrong{inspect + at + "other", at + "other/a.webp is neither PNG nor JPEG" + advice},
           Wrong{inspect + at + "empty", at + "empty/a.jpg is empty" + advice},
           Wrong{inspect + at + "cut", at + "cut/a.jpg is a damaged JPEG (Premature end of JPEG file)" + advice},
           Wrong{inspect + at + "half.tar",
                 at + "half.tar: is not a whole, uncompressed tar: Unrecognized archive format at byte 0"},
           Wrong{"scoremle data inspect --output " + at + "sheet.png --size 64 --files " + at + "small.bin",
                 at + "small.bin: record at byte 1 is 32x32, smaller than data.image_size 64" + advice},
           Wrong{inspect + at + "loop", at + "loop/itself: Too many levels of symbolic links"},
           Wrong{inspect + at + "odd.bin", at + "odd.bin: has 100 bytes, no multiple of the 3073 of a CIFAR-10 record "
                                                "or of the 3074 of a CIFAR-100 one"},
           Wrong{inspect + at + "a.npy", at + "a.npy is no .npy array"},
           Wrong{inspect + at + "a.npz",
                 at + "a.npz: is not a whole .npz (zip): Unrecognized archive format at byte 0"},
           Wrong{inspect + at + "t-images-idx3-ubyte",
                 at + "t-labels-idx1-ubyte: is missing: the labels of " + at + "t-images-idx3-ubyte"},
           Wrong{inspect + at + "packed",
                 at + "packed/index: is damaged (its checksum is another); remove this set and make it again"},
           Wrong{"scoremle data pack --size 8 --files " + at + "text --output " + at + "out",
                 at + "text/a.png is neither PNG nor JPEG" + advice},
           Wrong{"scoremle data pack --size 8 --files " + at + "text --output " + at + "text",
                 at + "text: is there already; remove it, or name another folder"},
           Wrong{"scoremle data pack --size 8 --files " + at + "text --output " + at + "out/",
                 at + "out/: name the folder to make, without a / at its end"},
           Wrong{"scoremle data pack --size 8 --files " + at + "text --output ''",
                 ": name the folder to make, without a / at its end"},
           Wrong{"scoremle data pack --size 100000 --output x --files configs",
                 "--size: Value 100000 not in range 4 to 4096 (see scoremle data pack --help)"},
           Wrong{"scoremle data inspect --output x.jpg --size 8 --files configs", "--output: x.jpg must end in .png"},
           Wrong{"scoremle data pack --size 8 --files configs", "--output is required (see scoremle data pack --help)"},
           Wrong{"scoremle data pack --size 8 --shard-mib 0 --output x --files configs",
                 "--shard-mib: Value 0 not in range 1 to 1048576 (see scoremle data pack --help)"},
           Wrong{"scoremle data pack --config quickstart --output x",
                 "data pack: only images in files can be packed; give --files, or a config with them"},
           Wrong{"scoremle bench data --packed configs",
                 "configs: is no packed set of images (it has no file \"index\"); scoremle data pack makes one"},
           Wrong{"scoremle data inspect --output /nosuch/x.png --size 8 --files configs",
                 "/nosuch/x.png: cannot be written: /nosuch: No such file or directory"},
       }) {
    expect_line(wrong);
  }
}

TEST(WrongInput, RunFolders) {
  const std::string train = "scoremle train --config configs/quickstart.textproto ";
  for (const char* place : {"/proc/x", "/dev/null/x"}) {
    const auto outcome = run(train + "--set 'training { directory: \"" + place + "\" }' 2>&1 >/dev/null");
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
    EXPECT_NE(outcome.output.find(place), std::string::npos) << outcome.output;
  }
  // Where the config is to be written.
  tests::Folder folder("config_in_the_way");
  const std::string taken = (folder / "run/config.textproto.new").string();
  std::filesystem::create_directories(taken);
  expect_line({train + "--set 'training { directory: \"" + (folder / "run").string() + "\" }' 2>&1 >/dev/null",
               "cannot create " + taken + ": File exists"});
}

TEST(WrongInput, AFolderThatMayNotBeRead) {
  tests::Folder folder("locked");
  std::filesystem::create_directories(folder / "images");
  std::filesystem::permissions(folder.text(), std::filesystem::perms::all);
  std::filesystem::permissions(folder / "images", std::filesystem::perms::none);
  // Root may read everything: someone else is asked.
  const std::string as_nobody = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "";
  const std::string images = (folder / "images").string(), sheet = (folder / "sheet.png").string();
  expect_line({as_nobody + "scoremle data inspect --size 8 --files " + images + " --output " + sheet,
               images + ": Permission denied"});
  std::filesystem::permissions(folder / "images", std::filesystem::perms::all);
}

TEST(WrongInput, TrainedRuns) {
  tests::Folder folder("runs");
  const std::string run = (folder / "run").string(), bare = (folder / "bare").string();
  const std::string train =
      "scoremle train --config configs/quickstart.textproto --set 'optimizer { warmup_steps: 1 } model { channels: 8 } "
      "data { training { gaussian_field { images: 60 } } heldout { gaussian_field { images: 12 } } } training { "
      "micro_batch_images: 3 steps: 2 evaluate_every: 0 directory: \"" +
      run + "\" }' ";
  const auto trained = tests::run(train);
  ASSERT_EQ(trained.status, 0) << trained.output;
  std::filesystem::create_directories(bare);
  std::filesystem::copy(run + "/config.textproto", bare + "/config.textproto");
  const std::string evaluate = "scoremle evaluate --images 2 --run " + run, quietly = " 2>&1 >/dev/null",
                    fixed = run +
                            ": --set changes what the network was trained as; model, sde (but for smallest_time), "
                            "data.image_size, data.channels and data.pixel_range must stay as they are",
                    newest = "Checkpoint " + run + "/ckpt/step_0000000002-g00001 was made with ",
                    advice = ": resume with the checkpoint's config, or choose another training.directory";
  for (const Wrong& wrong : {
           Wrong{"scoremle evaluate --run " + bare, bare + "/ckpt has no checkpoint: train first, or name another run"},
           Wrong{"scoremle sample --run " + bare, bare + "/ckpt has no checkpoint: train first, or name another run"},
           Wrong{evaluate + " --step 17", run + "/ckpt has no checkpoint of step 17: train first, or name another run"},
           Wrong{evaluate + " --set 'sde { kind: VE }'", fixed},
           Wrong{evaluate + " --set 'data { image_size: 32 } model { attention_sizes: [] }'", fixed},
           Wrong{"scoremle sample --set 'model { channels: 16 }' --run " + run, fixed},
           Wrong{"scoremle sample --set 'data { pixel_range: ZERO_TO_ONE }' --run " + run, fixed},
           Wrong{train + "--init-from ''",
                 "--init-from: is empty; name the folder of a run (see scoremle train --help)"},
           Wrong{evaluate + " --set 'evaluation { dequantisation: BIN_CENTRES }'",
                 "evaluation.dequantisation: is BIN_CENTRES, but the model was trained on uniformly dequantised pixels "
                 "and its bound and ODE are those of a continuous density: their figures would mean nothing; use "
                 "UNIFORM_NOISE"},
           Wrong{evaluate + " --estimator bound --ode-images 1",
                 "--ode-images: there is no ODE with --estimator bound"},
           Wrong{evaluate + " --estimator ode --ode-images 1",
                 "--images: there is no bound with --estimator ode; --ode-images says how many"},
           Wrong{evaluate + " --output " + bare, bare + ": is a folder, a file is to be written there"},
           Wrong{"scoremle sample --output " + bare + "/nosuch/x.png --run " + run,
                 bare + "/nosuch/x.png: cannot be written: " + bare + "/nosuch: No such file or directory"},
           Wrong{train + "--resume --set 'training { steps: 4 }'" + quietly,
                 newest + "training.steps: 2; this run has training.steps: 4" + advice},
           Wrong{train + "--resume --set 'seed: 9'" + quietly, newest + "seed: 42; this run has seed: 9" + advice},
       }) {
    expect_line(wrong);
  }
  // A config that was changed behind the run's back.
  const std::string text = tests::contents(run + "/config.textproto");
  std::ofstream(run + "/config.textproto") << std::regex_replace(text, std::regex("kind: VP"), "kind: SUB_VP");
  expect_line({evaluate, run +
                             "/config.textproto: is of another network than step_0000000002-g00001: put the run's own "
                             "config back"});
  std::ofstream(run + "/config.textproto") << text;
  // Not wrong input, but a network that cannot be used: its own status.
  const auto rough = tests::run(evaluate + " --estimator ode --set 'evaluation { ode_max_evaluations: 20 }' 2>&1");
  EXPECT_EQ(rough.status, 5);
  EXPECT_TRUE(rough.output.starts_with("scoremle: image ")) << rough.output;
  EXPECT_NE(rough.output.find("ode_max_evaluations"), std::string::npos) << rough.output;
  EXPECT_EQ(std::count(rough.output.begin(), rough.output.end(), '\n'), 1) << rough.output;
}

TEST(WrongInput, MoreRanksThanMicroBatches) {
  tests::Folder folder("ranks");
  const auto outcome =
      run(tests::mpirun(5) + "scoremle train --config configs/quickstart.textproto --set 'training { directory: \"" +
          folder.text() + "\" }' 2>&1 >/dev/null");
  EXPECT_EQ(outcome.status, 2) << outcome.output;
  EXPECT_NE(outcome.output.find("scoremle: training.micro_batches is 4 but there are 5 ranks: every rank needs one; "
                                "use at most 4 ranks, or more and smaller micro-batches\n"),
            std::string::npos)
      << outcome.output;
}

TEST(WrongInput, ClassesThatTheImagesDoNotHave) {
  tests::Folder folder("classes");
  const auto outcome =
      run("scoremle train --config configs/quickstart.textproto --set 'model { classes: 10 } training { directory: \"" +
          folder.text() + "/run\" }'");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(outcome.output.ends_with("scoremle: model.classes: is 10, but the images have 1 class\n"))
      << outcome.output;
}

}  // namespace
