// Every record of kernels::Op has tests: one that is not listed here does not compile, one that is listed must have its
// suite.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <type_traits>

#include "kernels/ops.h"

namespace kernels {
namespace {

using std::type_identity;
std::string suite(type_identity<Dequantise>) {
  return "Dequantise";
}
std::string suite(type_identity<DrawTime>) {
  return "DrawTime";
}
std::string suite(type_identity<Perturb>) {
  return "Perturb";
}
std::string suite(type_identity<DropLabels>) {
  return "DropLabels";
}
std::string suite(type_identity<TimeEmbedding>) {
  return "TimeEmbedding";
}
std::string suite(type_identity<FourierEmbedding>) {
  return "FourierEmbedding";
}
std::string suite(type_identity<FourierFeatures>) {
  return "FourierFeatures";
}
std::string suite(type_identity<FourierFeaturesGradient>) {
  return "FourierFeaturesGradient";
}
std::string suite(type_identity<LabelEmbedding>) {
  return "LabelEmbedding";
}
std::string suite(type_identity<LabelEmbeddingGradient>) {
  return "LabelEmbeddingGradient";
}
std::string suite(type_identity<Linear>) {
  return "Linear";
}
std::string suite(type_identity<LinearDataGradient>) {
  return "LinearDataGradient";
}
std::string suite(type_identity<LinearWeightGradient>) {
  return "LinearWeightGradient";
}
std::string suite(type_identity<Silu>) {
  return "Silu";
}
std::string suite(type_identity<SiluGradient>) {
  return "SiluGradient";
}
std::string suite(type_identity<AddScaled>) {
  return "AddScaled";
}
std::string suite(type_identity<Affine>) {
  return "Affine";
}
std::string suite(type_identity<ScaleImages>) {
  return "ScaleImages";
}
std::string suite(type_identity<Concatenate>) {
  return "Concatenate";
}
std::string suite(type_identity<Resize>) {
  return "Resize";
}
std::string suite(type_identity<ResizeGradient>) {
  return "ResizeGradient";
}
std::string suite(type_identity<Conv>) {
  return "Conv";
}
std::string suite(type_identity<ConvDataGradient>) {
  return "ConvDataGradient";
}
std::string suite(type_identity<ConvWeightGradient>) {
  return "ConvWeightGradient";
}
std::string suite(type_identity<NormCoefficients>) {
  return "NormCoefficients";
}
std::string suite(type_identity<NormGradient>) {
  return "NormGradient";
}
std::string suite(type_identity<Attention>) {
  return "Attention";
}
std::string suite(type_identity<AttentionGradient>) {
  return "AttentionGradient";
}
std::string suite(type_identity<NoiseLoss>) {
  return "NoiseLoss";
}
std::string suite(type_identity<NoiseLossGradient>) {
  return "NoiseLossGradient";
}
std::string suite(type_identity<AddTerms>) {
  return "AddTerms";
}
std::string suite(type_identity<SquareSums>) {
  return "SquareSums";
}
std::string suite(type_identity<AdamStep>) {
  return "AdamStep";
}
std::string suite(type_identity<Exchange>) {
  return "Exchange";
}

template <typename... Records>
std::set<std::string> suites(type_identity<std::variant<Records...>>) {
  return {suite(type_identity<Records>{})...};
}

TEST(EveryRecord, HasASuiteOfTests) {
  std::set<std::string> present;
  const auto& program = *testing::UnitTest::GetInstance();
  for (int i = 0; i < program.total_test_suite_count(); ++i) present.insert(program.GetTestSuite(i)->name());
  for (const std::string& name : suites(type_identity<Op>{}))
    EXPECT_TRUE(present.contains(name)) << name << " has no tests";
}

TEST(EveryRecord, IsCalledByItsTypesName) {
  EXPECT_EQ(name(Conv{}), "Conv");
  EXPECT_EQ(name(LinearWeightGradient{}), "LinearWeightGradient");
}

TEST(EveryRecord, CountsTheOperationsOfItsProducts) {
  const auto tensor = [](Shape shape) {
    Tensor t;
    t.id = 0;
    t.shape = shape;
    return t;
  };
  // 2 images of 4x4 pixels, 3x3 convolution from 5 to 7 channels: one multiply-add per output and weight of its row.
  EXPECT_EQ(flops(Conv{.weight = tensor({7, 3, 3, 5}), .y = tensor({2, 4, 4, 7})}), 2.0 * 2 * 16 * 7 * 45);
  EXPECT_EQ(flops(ConvWeightGradient{.dy = tensor({2, 4, 4, 7}), .dweight = tensor({7, 3, 3, 5})}),
            2.0 * 2 * 16 * 7 * 45);
  EXPECT_EQ(flops(Linear{.weight = tensor({7, 5}), .y = tensor({3, 7})}), 2.0 * 3 * 7 * 5);
  EXPECT_EQ(flops(Attention{.qkv = tensor({2, 4, 4, 24})}), 2.0 * 2 * (2 * 16 * 16 * 8));
  EXPECT_EQ(flops(Silu{}), 0);
}

}  // namespace
}  // namespace kernels
