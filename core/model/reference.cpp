#include "core/model/reference.h"

#include <fmt/ranges.h>

#include <cmath>
#include <sstream>

#include "kernels/check.h"

namespace core::model {
namespace {

const std::string& setting(const Metadata& metadata, const std::string& name) {
  const auto found = metadata.find(name);
  kernels::require(found != metadata.end(), "the file's metadata has no {}", name);
  return found->second;
}

/// The integers in a Python tuple: "(1, 2)", "(8,)".
std::vector<int> integers(std::string text) {
  for (char& c : text) c = (c >= '0' && c <= '9') ? c : ' ';
  std::istringstream in(text);
  return {std::istream_iterator<int>(in), {}};
}

int integer(const Metadata& metadata, const std::string& name) {
  const std::vector<int> values = integers(setting(metadata, name));
  kernels::require(values.size() == 1, "the file's metadata has {} = {}, which is no number", name,
                   setting(metadata, name));
  return values[0];
}

void expect(const Metadata& metadata, const std::string& name, const std::string& value) {
  kernels::require(setting(metadata, name) == value, "the file's model has {} = {}; only {} can be built", name,
                   setting(metadata, name), value);
}

/// As Python writes a tuple.
std::string tuple(const std::vector<int>& values) {
  return fmt::format("({}{})", fmt::join(values, ", "), values.size() == 1 ? "," : "");
}

/// What is the same for every network that can be built.
const Metadata fixed_settings = {
    {"model", "ncsnpp"},         {"resblock_type", "biggan"},   {"fir", "False"},
    {"progressive", "none"},     {"progressive_input", "none"}, {"embedding_type", "positional"},
    {"scale_by_sigma", "False"}, {"centered", "True"}};

/// Calls f(which of the reference's tensors, place in it) for every element of ours, in our order.
template <typename F>
void for_each_place(const ReferenceParameter& parameter, const kernels::Shape& shape, F&& f) {
  const std::size_t parts = parameter.names.size();
  if (parameter.layout == ReferenceLayout::same) {
    const std::size_t part = static_cast<std::size_t>(shape.elements()) / parts;
    for (std::size_t i = 0; i < parts * part; ++i) f(i / part, i % part);
    return;
  }
  // oihw: theirs[(k c + i) taps + tap]; in_out: theirs[i k_count + k].
  const auto k_count = static_cast<std::size_t>(shape[0]) / parts, taps = static_cast<std::size_t>(shape[1] * shape[2]),
             c = static_cast<std::size_t>(shape[3]);
  for (std::size_t part = 0; part < parts; ++part) {
    for (std::size_t k = 0; k < k_count; ++k) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        for (std::size_t i = 0; i < c; ++i) {
          f(part, parameter.layout == ReferenceLayout::oihw ? (k * c + i) * taps + tap : i * k_count + k);
        }
      }
    }
  }
}

}  // namespace

UNetSpec reference_spec(const Metadata& metadata) {
  for (const auto& [name, value] : fixed_settings) expect(metadata, name, value);
  UNetSpec spec;
  spec.image_size = integer(metadata, "image_size");
  if (metadata.contains("num_channels")) spec.image_channels = integer(metadata, "num_channels");
  spec.channels = integer(metadata, "nf");
  spec.channel_multipliers = integers(setting(metadata, "ch_mult"));
  spec.blocks = integer(metadata, "num_res_blocks");
  spec.attention_sizes = integers(setting(metadata, "attn_resolutions"));
  spec.residual_scale = setting(metadata, "skip_rescale") == "True" ? static_cast<float>(std::sqrt(0.5)) : 1.0f;
  return spec;
}

Metadata reference_metadata(const UNetSpec& spec) {
  Metadata metadata = fixed_settings;
  metadata["image_size"] = std::to_string(spec.image_size);
  metadata["num_channels"] = std::to_string(spec.image_channels);
  metadata["nf"] = std::to_string(spec.channels);
  metadata["ch_mult"] = tuple(spec.channel_multipliers);
  metadata["num_res_blocks"] = std::to_string(spec.blocks);
  metadata["attn_resolutions"] = tuple(spec.attention_sizes);
  metadata["skip_rescale"] = spec.residual_scale == 1 ? "False" : "True";
  return metadata;
}

std::string reference_name(config::SdeKind kind) {
  return kind == config::VE ? "VESDE" : kind == config::SUB_VP ? "subVPSDE" : "VPSDE";
}

std::vector<std::int64_t> reference_shape(const ReferenceParameter& parameter, const kernels::Shape& shape) {
  std::vector<std::int64_t> ours;
  for (int i = 0; i < shape.rank(); ++i) ours.push_back(shape[i]);
  ours[0] /= std::ssize(parameter.names);
  switch (parameter.layout) {
    case ReferenceLayout::oihw:
      return {ours[0], ours[3], ours[1], ours[2]};
    case ReferenceLayout::in_out:
      return {ours[3], ours[0]};
    case ReferenceLayout::same:
      return ours;
  }
  return ours;
}

std::vector<float> from_reference(const SafeTensors& file, const std::string& prefix,
                                  const ReferenceParameter& parameter, const kernels::Shape& shape) {
  const std::vector<std::int64_t> expected = reference_shape(parameter, shape);
  std::vector<const NamedTensor*> theirs;
  for (const std::string& name : parameter.names) {
    const auto found = file.tensors.find(prefix + name);
    kernels::require(found != file.tensors.end(), "the file has no tensor {}", prefix + name);
    kernels::require(found->second.shape == expected, "tensor {} is [{}] where the network has [{}]", prefix + name,
                     fmt::join(found->second.shape, ","), fmt::join(expected, ","));
    theirs.push_back(&found->second);
  }
  std::vector<float> ours;
  ours.reserve(static_cast<std::size_t>(shape.elements()));
  for_each_place(parameter, shape, [&](std::size_t part, std::size_t at) { ours.push_back(theirs[part]->values[at]); });
  return ours;
}

std::vector<NamedTensor> to_reference(std::span<const float> ours, const ReferenceParameter& parameter,
                                      const kernels::Shape& shape) {
  std::vector<NamedTensor> theirs(parameter.names.size());
  for (NamedTensor& tensor : theirs) {
    tensor.shape = reference_shape(parameter, shape);
    tensor.values.resize(ours.size() / theirs.size());
  }
  auto value = ours.begin();
  for_each_place(parameter, shape, [&](std::size_t part, std::size_t at) { theirs[part].values[at] = *value++; });
  return theirs;
}

}  // namespace core::model
