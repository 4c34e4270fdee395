// Weights in safetensors files: the bytes, the reference's layouts, round trips, and what is wrong with a file.
#include "core/model/weights_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "kernels/check.h"
#include "tests/folder.h"
#include "tests/shared_data.h"

namespace core::model {
namespace {

namespace fs = std::filesystem;

struct File {
  explicit File(const std::string& name) : folder("weights_file"), path(folder / name) {}
  std::string bytes() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  tests::Folder folder;
  fs::path path;
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

/// A file with this header and payload.
std::string with_header(const std::string& header, const std::string& payload) {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + payload;
}

TEST(SafeTensorsFile, HasTheFormatsBytes) {
  const File file("format.safetensors");
  write_safetensors(file.path,
                    {.metadata = {{"k", "v"}}, .tensors = {{"b", {{2, 1}, {1.0f, -2.0f}}}, {"a", {{1}, {0.5f}}}}});
  const std::string header = R"({"__metadata__":{"k":"v"},"a":{"data_offsets":[0,4],"dtype":"F32","shape":[1]},)"
                             R"("b":{"data_offsets":[4,12],"dtype":"F32","shape":[2,1]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(file.bytes(), with_header(padded, std::string("\0\0\0\x3f\0\0\x80\x3f\0\0\0\xc0", 12)));
  const SafeTensors read = read_safetensors(file.path);
  EXPECT_EQ(read.metadata.at("k"), "v");
  EXPECT_EQ(read.tensors.at("b").values, (std::vector<float>{1.0f, -2.0f}));
  EXPECT_EQ(read.tensors.at("b").shape, (std::vector<std::int64_t>{2, 1}));
}

TEST(SafeTensorsFile, ShapesThatTheFileCannotHoldAreRefused) {
  const File file("shapes.safetensors");
  // 2^62 x 4 elements are 0 in 64 bits, and 2^61 x 8 bytes too.
  for (const char* shape : {"[4611686018427387904,4]", "[2305843009213693952]", "[-1]", "[1000000]"}) {
    std::ofstream(file.path, std::ios::binary)
        << with_header(fmt::format(R"({{"a":{{"dtype":"F32","shape":{},"data_offsets":[0,0]}}}})", shape), "12345678");
    EXPECT_NE(error_of([&] { read_safetensors(file.path); }).find("tensor a: has the shape " + std::string(shape)),
              std::string::npos)
        << shape;
  }
}

TEST(SafeTensorsFile, OtherTypesAreLeftUnreadAndNamed) {
  const File file("types.safetensors");
  std::ofstream(file.path, std::ios::binary) << with_header(
      R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
      std::string("12345678\0\0\x80\x3f", 12));
  const SafeTensors read = read_safetensors(file.path);
  EXPECT_EQ(read.unread, (std::map<std::string, std::string>{{"a", "F64"}}));
  EXPECT_EQ(read.tensors.size(), 1u);
  EXPECT_EQ(error_of([&] { read_safetensors("/tmp"); }), "/tmp: is no file that can be opened");
}

TEST(ReferenceLayouts, AreThoseOfPyTorch) {
  // conv [k=2,r=1,s=2,c=3] of ours from PyTorch's [2,3,1,2]: theirs(k,c,r,s) = 100k + 10c + s.
  const ReferenceParameter conv{{"w"}, ReferenceLayout::oihw};
  const std::vector<float> ours = {0, 10, 20, 1, 11, 21, 100, 110, 120, 101, 111, 121};
  const auto theirs = to_reference(ours, conv, {2, 1, 2, 3});
  EXPECT_EQ(theirs[0].shape, (std::vector<std::int64_t>{2, 3, 1, 2}));
  EXPECT_EQ(theirs[0].values, (std::vector<float>{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121}));
  EXPECT_EQ(from_reference({{}, {{"p.w", theirs[0]}}}, "p.", conv, {2, 1, 2, 3}), ours);

  // Two NIN matrices W[c=2,k=3], stacked to ours [k=6,1,1,c=2]: W0(c,k) = 10c + k, W1 = W0 + 100.
  const ReferenceParameter nin{{"0", "1"}, ReferenceLayout::in_out};
  const std::vector<float> stacked = {0, 10, 1, 11, 2, 12, 100, 110, 101, 111, 102, 112};
  const auto parts = to_reference(stacked, nin, {6, 1, 1, 2});
  EXPECT_EQ(parts[1].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(parts[0].values, (std::vector<float>{0, 1, 2, 10, 11, 12}));
  EXPECT_EQ(parts[1].values, (std::vector<float>{100, 101, 102, 110, 111, 112}));
  EXPECT_EQ(from_reference({{}, {{"0", parts[0]}, {"1", parts[1]}}}, "", nin, {6, 1, 1, 2}), stacked);
}

TEST(ReferenceMetadata, RebuildsTheNetwork) {
  UNetSpec spec;
  spec.image_size = 24;
  spec.image_channels = 1;
  spec.channels = 40;
  spec.channel_multipliers = {1, 3};
  spec.blocks = 3;
  spec.attention_sizes = {12};
  spec.residual_scale = 1;
  const UNetSpec again = reference_spec(reference_metadata(spec));
  EXPECT_EQ(again.image_size, 24);
  EXPECT_EQ(again.image_channels, 1);
  EXPECT_EQ(again.channels, 40);
  EXPECT_EQ(again.channel_multipliers, spec.channel_multipliers);
  EXPECT_EQ(again.blocks, 3);
  EXPECT_EQ(again.attention_sizes, spec.attention_sizes);
  EXPECT_EQ(again.residual_scale, 1);
  auto metadata = reference_metadata(spec);
  metadata["nf"] = "many";
  EXPECT_EQ(error_of([&] { reference_spec(metadata); }), "the file's metadata has nf = many, which is no number");
}

TEST(ReferenceMetadata, RefusesWhatTheReferenceDoesNotHave) {
  UNetSpec heads, classes, groups, features;
  features.fourier_features = 2;
  heads.head_channels = 64;
  classes.classes = 10;
  groups.group_channels = 2;
  for (const UNetSpec& spec : {heads, classes, groups, features})
    EXPECT_TRUE(error_of([&] { reference_metadata(spec); }).starts_with("the reference implementation has no such"));
  auto metadata = reference_metadata({});
  metadata["progressive"] = "sideways";
  EXPECT_EQ(error_of([&] { reference_spec(metadata); }),
            "the file's model has progressive = sideways; what can be built is: none, output_skip, residual");
}

/// A network's weights, each number another.
struct Weights {
  explicit Weights(const NetworkParameters& network) {
    for (const auto& parameter : network.ours) values.emplace_back(parameter.tensor.shape.elements());
  }
  auto read() {
    return [this](std::size_t i) -> std::span<const float> { return values[i]; };
  }
  auto write() {
    return [this](std::size_t i) -> std::span<float> { return values[i]; };
  }
  std::vector<std::vector<float>> values;
};

UNetSpec small() {
  UNetSpec spec;
  spec.image_size = 8;
  spec.channels = 8;
  spec.channel_multipliers = {1, 2};
  spec.blocks = 1;
  spec.attention_sizes = {4};
  return spec;
}

TEST(WeightsFile, EveryNumberComesBackUnderBothNames) {
  const NetworkParameters network(small());
  Weights weights(network);
  float number = 0;
  for (auto& values : weights.values) {
    for (float& value : values) value = ++number;
  }
  for (const Names names : {Names::ours, Names::reference}) {
    SafeTensors file{{}, to_tensors(network, names, weights.read())};
    if (names == Names::reference) file.unread["sigmas"] = "F64";  // a buffer of every model of the reference
    EXPECT_EQ(file.tensors.contains("all_modules.0.weight"), names == Names::reference);
    Weights again(network);
    from_tensors(file, "file", network, again.write());
    EXPECT_EQ(again.values, weights.values);
  }
}

TEST(WeightsFile, SaysAllThatIsWrongWithAFile) {
  const NetworkParameters network(small());
  Weights weights(network);
  SafeTensors file{{}, to_tensors(network, Names::ours, weights.read())};
  file.tensors.erase("input.conv.bias");
  file.tensors["output.conv.bias"].shape = {1, 3};
  file.tensors["more"] = {{1}, {0}};
  file.tensors.erase("input.conv.weight");
  file.unread = {{"input.conv.weight", "F16"}, {"other", "I64"}};
  EXPECT_EQ(
      error_of([&] { from_tensors(file, "a.safetensors", network, weights.write()); }),
      "a.safetensors: does not hold the config's network; 1 are missing: input.conv.bias; 2 have another shape or "
      "type: input.conv.weight F16, not F32, output.conv.bias [1,3], not [3]; 2 belong to nothing: more, other");
}

class Fixture : public testing::TestWithParam<std::string> {};

TEST_P(Fixture, IsWrittenAsItWasRead) {
  const SafeTensors file = read_safetensors(tests::shared("fixtures/" + GetParam()));
  const NetworkParameters network(reference_spec(file.metadata));
  Weights weights(network);
  from_tensors(file, GetParam(), network, weights.write());
  const auto tensors = to_tensors(network, Names::reference, weights.read());
  std::size_t parameters = 0;
  for (const auto& [name, tensor] : file.tensors) {
    if (!name.starts_with("param.")) continue;
    ++parameters;
    ASSERT_TRUE(tensors.contains(name.substr(6))) << name;
    EXPECT_EQ(tensors.at(name.substr(6)).shape, tensor.shape) << name;
    EXPECT_EQ(tensors.at(name.substr(6)).values, tensor.values) << name;
  }
  EXPECT_EQ(parameters, tensors.size());
  const auto metadata = reference_metadata(reference_spec(file.metadata));
  int settings = 0;
  for (const auto& [name, value] : metadata) {
    if (!file.metadata.contains(name)) continue;
    EXPECT_EQ(value, file.metadata.at(name)) << name;
    ++settings;
  }
  EXPECT_EQ(settings, metadata.at("model") == "ddpm" ? 8 : 14);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Fixture, testing::ValuesIn(tests::all_files("fixtures", ".safetensors")),
                         [](const auto& info) { return info.param.substr(0, info.param.find('.')); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Fixture);

}  // namespace
}  // namespace core::model
