// The network against values that another implementation computed: every file of ../shared/fixtures, each built from
// its own metadata.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numeric>

#include "core/model/reference.h"
#include "core/program/differentiate.h"
#include "tests/core/program/cpu_executor.h"
#include "tests/shared_data.h"

namespace core::model {
namespace {

using kernels::Mode;

double magnitude(const std::vector<float>& values) {
  double largest = 0;
  for (float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

/// Largest difference over the largest magnitude of what is expected.
double relative_error(const std::vector<float>& found, const std::vector<float>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    difference = std::max(difference, std::abs(static_cast<double>(found[i]) - expected[i]));
  return difference / magnitude(expected);
}

/// [n,c,h,w] to [n,h,w,c].
std::vector<float> nhwc(const NamedTensor& t) {
  const std::int64_t n = t.shape[0], c = t.shape[1], pixels = t.shape[2] * t.shape[3];
  std::vector<float> out(t.values.size());
  for (std::int64_t i = 0; i < n * c * pixels; ++i) {
    const std::int64_t image = i / (c * pixels), channel = i / pixels % c, pixel = i % pixels;
    out[static_cast<std::size_t>((image * pixels + pixel) * c + channel)] = t.values[static_cast<std::size_t>(i)];
  }
  return out;
}

/// Multiplies each image by its factor.
std::vector<float> scaled(std::vector<float> images, const std::vector<float>& factor) {
  const std::size_t dims = images.size() / factor.size();
  for (std::size_t i = 0; i < images.size(); ++i) images[i] *= factor[i / dims];
  return images;
}

/// The fixture's network with its parameters, as a program with the gradients of sum(raw output * cotangent). The
/// reference's raw output is ours for VP and sub-VP, and ours divided by the standard deviation, which is the label,
/// for VE.
struct Fixture {
  explicit Fixture(const std::string& name) : file(read_safetensors(tests::shared("fixtures/" + name))) {
    const UNetSpec spec = reference_spec(file.metadata);
    const NamedTensor& xt = file.tensors.at("xt");
    const std::int64_t n = xt.shape[0];
    x = program.input("x", {n, spec.image_size, spec.image_size, 3});
    label = program.input("label", {n});
    cotangent = program.input("cotangent", x.shape);
    UNet unet = record_unet(program, spec, {.x = x, .time = label}, nullptr);
    output = unet.output;
    reference = std::move(unet.reference);
    program.keep(output);
    std::vector<Tensor> wanted = {x};
    for (const auto& parameter : program.parameters()) wanted.push_back(parameter.tensor);
    const program::Seed seeds[] = {{output, cotangent}};
    gradients = program::differentiate(program, seeds, wanted);
    program.keep(gradients[0]);
    executor = program::test::make_cpu_executor(program, 2);
    for (std::size_t p = 0; p < reference.size(); ++p) {
      const Tensor& parameter = program.parameters()[p].tensor;
      weights.push_back(from_reference(file, "param.", reference[p], parameter.shape));
      computed.emplace_back(weights.back().size());
      executor->bind(parameter, weights.back());
      executor->bind(gradients[p + 1], computed.back());
    }
    executor->upload(x, std::span<const float>(nhwc(xt)));
    executor->upload(label, std::span<const float>(file.tensors.at("labels").values));
    ve = file.metadata.at("sde") == "VESDE";
    for (float time : file.tensors.at("labels").values) raw_factor.push_back(ve ? 1 / time : 1);
    executor->upload(cotangent, std::span<const float>(scaled(nhwc(file.tensors.at("cotangent")), raw_factor)));
    executor->run();
  }
  std::vector<float> download(const Tensor& tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.shape.elements()));
    executor->download(tensor, std::span<float>(values));
    return values;
  }

  SafeTensors file;
  Program program;
  Tensor x, label, cotangent, output;
  std::vector<ReferenceParameter> reference;
  std::vector<Tensor> gradients;
  std::unique_ptr<program::Executor> executor;
  std::vector<std::vector<float>> weights, computed;
  bool ve = false;
  std::vector<float> raw_factor;
};

class Parity : public testing::TestWithParam<std::string> {};

TEST_P(Parity, OutputScoreAndLosses) {
  Fixture fixture(GetParam());
  const auto& tensors = fixture.file.tensors;
  const std::vector<float> output = fixture.download(fixture.output), z = nhwc(tensors.at("z"));
  EXPECT_LT(relative_error(scaled(output, fixture.raw_factor), nhwc(tensors.at("output"))), 1e-4);

  const std::size_t n = tensors.at("t").values.size(), dims = output.size() / n;
  const double sign = fixture.ve ? 1 : -1;  // score = sign * output / s
  std::vector<float> score(output.size()), mean(n), half_sum(n), likelihood(n);
  for (std::size_t image = 0; image < n; ++image) {
    const double s = tensors.at("std").values[image];
    double squared = 0;
    for (std::size_t i = image * dims; i < (image + 1) * dims; ++i) {
      score[i] = static_cast<float>(sign * output[i] / s);
      squared += std::pow(z[i] + sign * output[i], 2);
    }
    mean[image] = static_cast<float>(squared / static_cast<double>(dims));
    half_sum[image] = static_cast<float>(squared / 2);
    likelihood[image] = static_cast<float>(squared / 2 * tensors.at("diffusion_squared").values[image] / (s * s));
  }
  EXPECT_LT(relative_error(score, nhwc(tensors.at("score"))), 1e-4);
  EXPECT_LT(relative_error(mean, tensors.at("loss_simple_mean").values), 1e-4);
  EXPECT_LT(relative_error(half_sum, tensors.at("loss_simple_halfsum").values), 1e-4);
  EXPECT_LT(relative_error(likelihood, tensors.at("loss_likelihood_halfsum").values), 1e-4);
}

TEST_P(Parity, GradientWithRespectToInputAndEveryParameter) {
  Fixture fixture(GetParam());
  EXPECT_LT(relative_error(fixture.download(fixture.gradients[0]), nhwc(fixture.file.tensors.at("grad_xt"))), 1e-4);
  std::vector<std::vector<float>> expected(fixture.reference.size());
  double largest = 0;
  for (std::size_t p = 0; p < expected.size(); ++p) {
    const auto& parameter = fixture.program.parameters()[p];
    if (parameter.training == program::Training::frozen) continue;
    expected[p] = from_reference(fixture.file, "grad.", fixture.reference[p], parameter.tensor.shape);
    largest = std::max(largest, magnitude(expected[p]));
  }
  for (std::size_t p = 0; p < expected.size(); ++p) {
    const auto& parameter = fixture.program.parameters()[p];
    if (parameter.training == program::Training::frozen)
      EXPECT_EQ(magnitude(fixture.computed[p]), 0) << parameter.name;
    else if (magnitude(expected[p]) < 1e-6 * largest)  // 0 but for rounding: a bias that the next norm takes away
      EXPECT_LT(magnitude(fixture.computed[p]), 1e-6 * largest) << parameter.name;
    else
      EXPECT_LT(relative_error(fixture.computed[p], expected[p]), 1e-4) << parameter.name;
  }
}

TEST_P(Parity, EveryTensorOfTheFileIsUsed) {
  Fixture fixture(GetParam());
  std::size_t ours = 0, theirs = 0;
  for (const auto& parameter : fixture.reference) ours += parameter.names.size();
  for (const auto& [name, tensor] : fixture.file.tensors) theirs += name.starts_with("param.");
  EXPECT_EQ(ours, theirs);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Parity, testing::ValuesIn(tests::all_files("fixtures", ".safetensors")),
                         [](const auto& info) { return info.param.substr(0, info.param.find('.')); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Parity);

}  // namespace
}  // namespace core::model
