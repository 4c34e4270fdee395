// What of a whole training program is stored as bf16: the network's images, and nothing of times, losses and weights.
#include "core/program/storage.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "core/config/load.h"
#include "core/objective/training_program.h"
#include "core/program/plan.h"

namespace core::objective {
namespace {

using program::Element;
using program::Program;

TrainingProgram training_of(const std::string& preset) {
  return record_training(config::load_valid("configs/" + preset + ".textproto", {}, {}));
}

std::size_t activation_bytes(const Program& program) {
  return program::plan_memory(program, std::vector<std::size_t>(program.ops().size())).activation_bytes;
}

class StorageOfNetworks : public testing::TestWithParam<const char*> {};

TEST_P(StorageOfNetworks, HalvesTheImagesAndNothingElse) {
  const TrainingProgram training = training_of(GetParam());
  const Program narrow = program::stored(training.program, program::Storage::bf16);
  for (const program::TensorInfo& info : narrow.tensors()) {
    if (info.tensor.element != Element::bf16) continue;
    EXPECT_EQ(info.role, program::Role::activation) << info.name;
    EXPECT_EQ(info.tensor.shape.rank(), 4) << info.name;
    EXPECT_EQ(info.tensor.shape[3] % 8, 0) << info.name;
  }
  for (const program::TensorInfo& info : narrow.tensors()) {
    const bool precise = std::set<std::string>{"x", "x_t", "noise", "time label", "loss weight"}.contains(info.name);
    EXPECT_TRUE(!precise || info.tensor.element == Element::f32) << info.name;
  }
  EXPECT_LT(static_cast<double>(activation_bytes(narrow)),
            0.6 * static_cast<double>(activation_bytes(training.program)));
}

TEST_P(StorageOfNetworks, EveryConvolutionBetweenWideImagesIsNarrow) {
  const Program narrow = program::stored(training_of(GetParam()).program, program::Storage::bf16);
  for (const program::Op& op : narrow.ops()) {
    const auto* conv = std::get_if<kernels::Conv>(&op);
    if (!conv || conv->x0.shape[3] % 8 != 0 || conv->y.shape[3] % 8 != 0) continue;
    EXPECT_EQ(conv->x0.element, Element::bf16) << narrow.info(conv->x0).name;
    EXPECT_EQ(conv->y.element, Element::bf16) << narrow.info(conv->y).name;
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, StorageOfNetworks,
                         testing::Values("quickstart", "cifar10_ddpmpp_vp_simple", "cifar10_ncsnpp_ve_simple", "adm64",
                                         "cifar10_vdm_vp_likelihood"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace core::objective
