// What is wrong and the line it gets: exit status 2, one line that says what, where and what to do.
#include <gtest/gtest.h>

#include <fstream>

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
           Wrong{"scoremle trian", "trian: is no command; commands are: train evaluate sample data checkpoint bench"},
           Wrong{"scoremle train", "--config is required (see scoremle train --help)"},
           Wrong{"scoremle train --config configs/quickstart.textproto --foo",
                 "The following argument was not expected: --foo (see scoremle train --help)"},
           Wrong{"scoremle bench step --config configs/quickstart.textproto --runs 0",
                 "--runs: is 0, must be a whole number of at least 1 (see scoremle bench --help)"},
           Wrong{"scoremle evaluate --run x --images many",
                 "--images: is many, must be a whole number of at least 1 (see scoremle evaluate --help)"},
           Wrong{"scoremle data inspect", "data: give --config, or --files and --size"},
           Wrong{"scoremle evaluate --run /nosuch", "/nosuch: is not the folder of a run (it has no config.textproto)"},
           Wrong{"scoremle checkpoint list configs",
                 "configs: has no checkpoints; name the folder of a run (training.directory)"},
       }) {
    expect_line(wrong);
  }
}

TEST(WrongInput, Configs) {
  for (const Wrong& wrong : {
           Wrong{"scoremle train --config nosuch",
                 "nosuch: is neither a file nor a preset; presets are: cifar10_ddpmpp_deep_vp_likelihood "
                 "cifar10_ddpmpp_vp_likelihood images32 quickstart tiny_imagenet32"},
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
           Wrong{"scoremle train --config configs/images32.textproto --dry-run",
                 "configs/images32.textproto: data.training: must be set: files, packed, gaussian_field, "
                 "uniform_pixels or "
                 "finite_set; for example --set 'data { training { files { "
                 "path: \"photos\" } } }'"},
           Wrong{
               quick + "--set 'data { training { packed { stage_to: \"\" } } }'",
               "configs/quickstart.textproto: 2 fields are wrong:\n  data.training.packed.path: must name the folder of a packed "
               "set\n  data.training.packed.stage_to: must name a folder, or be left out"},
           Wrong{
               quick + "--set 'training { micro_batch_images: 1000000 }'",
               "out of memory: activations need 875.91 GiB; use fewer images per batch, or training.recompute: BLOCKS"},
       }) {
    expect_line(wrong);
  }
}

TEST(WrongInput, Data) {
  tests::Folder folder("data");
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << bytes;
  };
  write("text/a.png", "no image");
  write("empty/a.jpg", "");
  write("cut/a.jpg", "\xff\xd8\xff\xe0");
  write("half.tar", std::string(700, 'x'));
  write("odd.bin", std::string(100, 'x'));
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
           Wrong{inspect + at + "empty", at + "empty/a.jpg is empty" + advice},
           Wrong{inspect + at + "cut", at + "cut/a.jpg is a damaged JPEG (Premature end of JPEG file)" + advice},
           Wrong{inspect + at + "half.tar",
                 at + "half.tar: is not a whole, uncompressed tar: Unrecognized archive format at byte 0"},
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
           Wrong{"scoremle data pack --size 8 --files configs", "--output is required (see scoremle data --help)"},
           Wrong{"scoremle data pack --size 8 --shard-mib 0 --output x --files configs",
                 "--shard-mib: Value 0 not in range 1 to 1048576 (see scoremle data --help)"},
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

TEST(Help, ListsEveryCommandAndFlag) {
  const auto all = run("scoremle --help-all");
  EXPECT_EQ(all.status, 0);
  for (const char* flag :
       {"--config", "--set", "--resume", "--init-from", "--dry-run", "--run", "--images", "--estimator", "--output",
        "list", "show", "verify", "export", "import", "inspect", "step"}) {
    EXPECT_NE(all.output.find(flag), std::string::npos) << flag;
  }
}

TEST(DryRun, PrintsTheConfigTheProgramAndItsCost) {
  const auto outcome = run(quick);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  for (const char* part : {"seed: 42", "ConvDataGradient", "parameters           748737", "GFLOP", "activations"})
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part;
}

}  // namespace
