#include "core/config/load.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "kernels/check.h"

namespace core::config {
namespace {

namespace fs = std::filesystem;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const std::vector<fs::path> presets = {"configs"};
const std::string files = R"(data { training { files { path: "a" } } heldout { files { path: "b" } } })";

class Folder {
 public:
  Folder()
      : path_(fs::path(testing::TempDir()) /
              ("config_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }

 private:
  fs::path path_;
};

template <typename F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const kernels::InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Config, EveryPresetIsValidWithoutNamingData) {
  for (const auto& entry : fs::directory_iterator("configs")) {
    const std::string preset = entry.path().stem().string();
    EXPECT_NO_THROW(load_valid(preset, {}, presets)) << preset;
  }
}

TEST(Config, OnlyWhatReadsImagesAsksForThem) {
  const RunConfig config = load_valid("images32", {}, presets);
  EXPECT_EQ(error_of([&] { require_source(config.data().training(), "data.training"); }),
            "data.training: must be set: files, packed, gaussian_field, uniform_pixels or finite_set; for example "
            "--set 'data { "
            "training { files { path: \"photos\" } } }'");
  EXPECT_NO_THROW(require_source(load_valid("images32", {files}, presets).data().training(), "data.training"));
}

TEST(Config, ARunsFolderIsNamedAfterItUnlessItIsSet) {
  EXPECT_EQ(load_valid("images32", {}, presets).training().directory(), "runs/images32");
  EXPECT_EQ(load_valid("images32", {"name: 'a'"}, presets).training().directory(), "runs/a");
  EXPECT_EQ(load_valid("images32", {"training { directory: '/b' }"}, presets).training().directory(), "/b");
}

TEST(Config, ClassesAreDrawnOnlyWhereTheNetworkHasThem) {
  const auto error = [&](const std::string& settings) {
    return error_of([&] { load_valid("images32", {settings}, presets); });
  };
  const std::string trained = "model { classes: 10 null_label_probability: 0.1 } ";
  EXPECT_NO_THROW(load_valid("images32", {trained + "sampling { classes: [0, 9] guidance: 2.5 }"}, presets));
  EXPECT_EQ(error("sampling { classes: 0 }"), "images32: sampling.classes: has 0, but model.classes is 0");
  EXPECT_EQ(error(trained + "sampling { classes: [3, 10] }"),
            "images32: sampling.classes: has 10, but model.classes is 10: they are 0 to 9");
  EXPECT_EQ(error(trained + "sampling { guidance: 2 }"),
            "images32: sampling.guidance: is 2, but no sampling.classes are named");
  EXPECT_EQ(error(trained + "sampling { classes: 1 guidance: -1 }"),
            "images32: sampling.guidance: is -1, must be at least 0");
  EXPECT_EQ(error("model { classes: 10 } training { sample_every: 5 }"),
            "images32: training.sample_every: draws images, but the network knows none without a class: name "
            "sampling.classes");
  EXPECT_EQ(error("model { classes: 10 } sampling { classes: 1 guidance: 2 }"),
            "images32: sampling.guidance: is 2, which needs a network that was trained with "
            "model.null_label_probability");
}

TEST(Config, SettingsOfTheNetworkThatContradictEachOtherAreRefused) {
  const auto error = [&](const std::string& model) {
    return error_of([&] { load_valid("images32", {"model { " + model + " }"}, presets); });
  };
  EXPECT_EQ(error("null_label_probability: 0.1"),
            "images32: model.null_label_probability: withholds classes, but model.classes is 0; set both or neither");
  EXPECT_EQ(
      error("scale_by_sigma: false"),
      "images32: model.scale_by_sigma: is false, which only sde.kind: VE can do: VP's network predicts the noise");
  EXPECT_EQ(error("classes: -1"), "images32: model.classes: is -1, must be in [0, 16777216]");
  EXPECT_EQ(error("group_channels: 0"), "images32: model.group_channels: is 0, must be in [1, 4]");
  EXPECT_EQ(error("head_channels: -1"), "images32: model.head_channels: is -1, must be in [0, 65536]");
  EXPECT_EQ(error("fourier_features: 17"), "images32: model.fourier_features: is 17, must be in [0, 16]");
  EXPECT_EQ(error("first_fourier_exponent: 17"), "images32: model.first_fourier_exponent: is 17, must be in [-8, 16]");
  EXPECT_EQ(error("adds_input: true output_pyramid: SKIP_PYRAMID"),
            "images32: model.adds_input: is for a network that predicts the noise (VP, sub-VP), without "
            "output_pyramid: SKIP_PYRAMID");
  EXPECT_EQ(error("time_label: LOG_SNR } sde { kind: VE"),
            "images32: model.time_label: is LOG_SNR, but with sde.kind: VE the network is told the noise's deviation; "
            "leave it out");
  EXPECT_EQ(error("fourier_scale: 0"), "images32: model.fourier_scale: is 0, must be greater than 0");
}

TEST(Config, AnOverrideReplacesScalarsMessagesMergeAndRepeatedFieldsAreReplaced) {
  const RunConfig config = load_valid("quickstart",
                                      {"optimizer { learning_rate: 1e-4 }", "model { channel_multipliers: [1, 1] }",
                                       "data { heldout { uniform_pixels { images: 3 } } }"},
                                      presets);
  EXPECT_EQ(config.optimizer().learning_rate(), 1e-4);
  EXPECT_EQ(config.optimizer().warmup_steps(), 50);
  ASSERT_EQ(config.model().channel_multipliers_size(), 2);
  EXPECT_EQ(config.model().channel_multipliers(1), 1);
  EXPECT_TRUE(config.data().heldout().has_uniform_pixels());
  EXPECT_EQ(config.data().heldout().uniform_pixels().images(), 3);
}

TEST(Config, ABaseLiesUnderTheFileAndItsRepeatedFieldsAreReplaced) {
  const Folder folder;
  folder.write("base.textproto",
               "seed: 5 model { channels: 8 channel_multipliers: [1, 2, 2] attention_sizes: [16, 8] }");
  const RunConfig config = load(
      folder.write("top.textproto", "base: 'base.textproto' model { channels: 16 channel_multipliers: 3 }"), {}, {});
  EXPECT_EQ(config.seed(), 5);
  EXPECT_EQ(config.model().channels(), 16);
  EXPECT_EQ(config.model().channel_multipliers_size(), 1);
  EXPECT_EQ(config.model().attention_sizes_size(), 2);
}

TEST(Config, AnEmptyListEmptiesWhatLiesUnderIt) {
  EXPECT_EQ(load_valid("quickstart", {}, presets).model().attention_sizes_size(), 1);
  EXPECT_EQ(load_valid("quickstart", {"model { attention_sizes: [] }"}, presets).model().attention_sizes_size(), 0);
  const RunConfig twice =
      load_valid("quickstart", {"model { attention_sizes: [] }", "model { attention_sizes: 16 }"}, presets);
  EXPECT_EQ(twice.model().attention_sizes_size(), 1);
  const Folder folder;
  folder.write("base.textproto", "model { channels: 8 attention_sizes: [16, 8] }");
  const RunConfig config =
      load(folder.write("top.textproto", "base: 'base.textproto' model { attention_sizes: [] }"), {}, {});
  EXPECT_EQ(config.model().channels(), 8);
  EXPECT_EQ(config.model().attention_sizes_size(), 0);
}

TEST(Config, ABaseIsLookedForAndStandsInFilesOnly) {
  const Folder folder;
  const fs::path top = folder.write("top.textproto", "base: 'quikstart'");
  EXPECT_TRUE(error_of([&] {
                load(top, {}, presets);
              }).starts_with(top.string() + ": base: quikstart: is neither a file nor a preset; presets are: "));
  const std::string long_name(300, 'a');
  EXPECT_EQ(error_of([&] { load(folder.write("long.textproto", "base: '" + long_name + "'"), {}, {}); }),
            fmt::format("{0}: base: {1}: File name too long", (top.parent_path() / "long.textproto").string(),
                        (top.parent_path() / long_name).string()));
  EXPECT_EQ(error_of([&] { load("quickstart", {"base: 'images32'"}, presets); }),
            "--set 'base: 'images32'': base: stands in config files only; give that file to --config");
}

TEST(Config, ANetworkIsItsArchitectureImagesAndSde) {
  const auto with = [](const std::string& override) {
    return network_text(load_valid("quickstart", {override}, presets));
  };
  const std::string own = with("");
  for (const char* same : {"seed: 1", "sde { smallest_time: 1e-3 }", "data { horizontal_flip: true }",
                           "objective { weighting: SIMPLE }", "optimizer { ema: 0.5 }", "training { threads: 2 }",
                           "evaluation { passes: 3 }", "data { heldout { uniform_pixels { images: 3 } } }"}) {
    EXPECT_EQ(with(same), own) << same;
  }
  for (const char* other :
       {"sde { kind: VE }", "sde { beta_max: 19 }", "data { channels: 3 }",
        "data { image_size: 32 } model { attention_sizes: 16 }", "model { channels: 64 }",
        "model { attention_sizes: [] }", "model { skip_rescale: false }", "data { pixel_range: ZERO_TO_ONE }"}) {
    EXPECT_NE(with(other), own) << other;
  }
}

TEST(Config, ACycleOfBasesIsNamed) {
  const Folder folder;
  folder.write("a.textproto", "base: 'b.textproto'");
  const fs::path b = folder.write("b.textproto", "base: 'a.textproto'");
  EXPECT_EQ(error_of([&] { load(b, {}, {}); }), b.string() + ": is its own base");
}

TEST(Config, AnUnknownFieldIsNamedWithItsPlace) {
  const Folder folder;
  const fs::path file = folder.write("c.textproto", "seed: 1\noptimizer {\n  lerning_rate: 1\n}\n");
  EXPECT_EQ(error_of([&] { load(file, {}, {}); }),
            file.string() + ":3:15: Message type \"core.config.Optimizer\" has no field named \"lerning_rate\".");
  EXPECT_EQ(error_of([&] { load("quickstart", {"sed: 1"}, presets); }),
            "--set 'sed: 1':1:4: Message type \"core.config.RunConfig\" has no field named \"sed\".");
}

TEST(Config, AnUnknownNameListsThePresets) {
  const std::string error = error_of([&] { load("quikstart", {}, presets); });
  EXPECT_TRUE(error.starts_with("quikstart: is neither a file nor a preset; presets are: adm64 adm64_conditional "))
      << error;
  EXPECT_TRUE(error.ends_with(" quickstart tiny_imagenet32 tiny_imagenet64")) << error;
}

TEST(Config, OneViolationIsOneLine) {
  EXPECT_EQ(error_of([&] { load_valid("quickstart", {"optimizer { learning_rate: -1 }"}, presets); }),
            "quickstart: optimizer.learning_rate: is -1, must be greater than 0");
}

TEST(Config, AllViolationsAreReportedAtOnce) {
  EXPECT_EQ(error_of([&] {
              load_valid("quickstart",
                         {"optimizer { learning_rate: nan beta2: 1 } model { attention_sizes: 7 } training { threads: "
                          "0 } sde { kind: SDE_UNSET }"},
                         presets);
            }),
            "quickstart: 5 fields are wrong:\n"
            "  model.attention_sizes: 7 is no size of a level; they are 16, 8\n"
            "  optimizer.learning_rate: is nan, must be greater than 0\n"
            "  optimizer.beta2: is 1, must be in [0, 1)\n"
            "  training.threads: is 0, must be in [1, 1024]\n"
            "  sde.kind: must be one of VP, SUB_VP, VE");
}

TEST(Config, RequiredFieldsAreAskedFor) {
  const Folder folder;
  const std::string error = error_of([&] { load_valid(folder.write("empty.textproto", ""), {}, {}); });
  for (const char* field : {"data.image_size:", "data.channels:", "model.channels:", "model.channel_multipliers:",
                            "model.blocks:", "training.steps:", "training.micro_batch_images:"}) {
    EXPECT_NE(error.find(std::string("\n  ") + field), std::string::npos) << field << " in\n" << error;
  }
}

TEST(Config, AFieldThatWouldClipIsRefused) {
  EXPECT_EQ(violations(load_valid("quickstart", {}, presets)).size(), 0u);
  EXPECT_NE(error_of([&] {
              load_valid("quickstart", {"data { training { gaussian_field { standard_deviation: 40 } } }"}, presets);
            }).find("mean ± 4.5 standard deviations"),
            std::string::npos);
}

TEST(Config, ClippingMayBeSwitchedOffButNothingElseMayBeInfinite) {
  EXPECT_NO_THROW(load_valid("quickstart", {"optimizer { gradient_clip: inf }"}, presets));
  EXPECT_THROW(load_valid("quickstart", {"optimizer { learning_rate: inf }"}, presets), kernels::InputError);
  EXPECT_THROW(load_valid("quickstart", {"sde { beta_max: inf }"}, presets), kernels::InputError);
}

TEST(Config, TheSmallestTimeFollowsTheSdeAfterOverrides) {
  EXPECT_EQ(load_valid("quickstart", {}, presets).sde().smallest_time(), 1e-5);
  EXPECT_EQ(load_valid("quickstart", {"sde { kind: SUB_VP }"}, presets).sde().smallest_time(), 1e-2);
  EXPECT_EQ(load_valid("quickstart", {}, presets).sampling().smallest_time(), 1e-3);
  EXPECT_EQ(load_valid("quickstart", {"sde { smallest_time: 0.01 }"}, presets).sampling().smallest_time(), 0.01);
  EXPECT_EQ(load_valid("quickstart", {"sde { kind: SUB_VP smallest_time: 1e-3 }"}, presets).sde().smallest_time(),
            1e-3);
}

/// Calls f(message, field, path) for every scalar field of the messages that are present.
template <typename F>
void for_each_scalar(Message& message, const std::string& path, F&& f) {
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    const std::string name = path.empty() ? field->name() : path + "." + field->name();
    if (field->is_repeated()) continue;
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
      f(message, field, name);
    else if (message.GetReflection()->HasField(message, field))
      for_each_scalar(*message.GetReflection()->MutableMessage(&message, field), name, f);
  }
}

TEST(Config, AValidConfigHasEveryScalarSet) {
  RunConfig config = load_valid("quickstart", {}, presets);
  for_each_scalar(config, "", [](Message& message, const FieldDescriptor* field, const std::string& path) {
    EXPECT_TRUE(path == "base" || message.GetReflection()->HasField(message, field)) << path;
  });
}

TEST(Config, TheEffectiveConfigReadsBackAsItself) {
  const Folder folder;
  const RunConfig config = load_valid("quickstart", {}, presets);
  const fs::path file = folder.write("saved.textproto", text(config));
  EXPECT_EQ(text(load_valid(file, {}, {})), text(config));
}

TEST(Config, TheFixedTextHoldsWhatDecidesTheWeightsAndNothingElse) {
  RunConfig config = load_valid("quickstart", {}, presets);
  const std::string before = fixed_text(config);
  const std::vector<std::string> free = {"name",
                                         "training.directory",
                                         "training.log_every",
                                         "training.checkpoint_every",
                                         "training.keep_checkpoints",
                                         "training.evaluate_every",
                                         "training.evaluate_images",
                                         "training.sample_every",
                                         "training.sample_images",
                                         "training.keep_every",
                                         "training.sharding",
                                         "training.recompute",
                                         "training.bucket_kib"};
  int fixed = 0;
  for_each_scalar(config, "", [&](Message& message, const FieldDescriptor* field, const std::string& path) {
    if (path == "base") return;
    const bool may_change = std::find(free.begin(), free.end(), path) != free.end() ||
                            path.starts_with("evaluation.") || path.starts_with("sampling.") ||
                            path.starts_with("data.heldout.");
    std::unique_ptr<Message> saved(message.New());
    saved->CopyFrom(message);
    const auto* r = message.GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        r->SetInt32(&message, field, r->GetInt32(message, field) + 1);
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        r->SetInt64(&message, field, r->GetInt64(message, field) + 1);
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        r->SetDouble(&message, field, r->GetDouble(message, field) + 0.125);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        r->SetBool(&message, field, !r->GetBool(message, field));
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        r->SetEnumValue(&message, field, r->GetEnumValue(message, field) % 2 + 1);
        break;
      default:
        r->SetString(&message, field, r->GetString(message, field) + "x");
    }
    if (path != "training.reduction") {  // which decides whether bucket_kib counts
      EXPECT_EQ(fixed_text(config) == before, may_change) << path;
    }
    fixed += !may_change;
    message.CopyFrom(*saved);
  });
  EXPECT_GT(fixed, 25);
  EXPECT_EQ(fixed_text(config), before);
}

}  // namespace
}  // namespace core::config
