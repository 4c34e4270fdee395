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

/// A setting of the reference's: what it and its values are called there.
template <typename Value>
struct Setting {
  const char* name;
  std::vector<std::pair<const char*, Value>> values;

  Value read(const Metadata& metadata) const {
    const std::string& found = setting(metadata, name);
    std::vector<std::string> known;
    for (const auto& [text, value] : values) {
      if (found == text) return value;
      known.emplace_back(text);
    }
    throw kernels::InputError(
        fmt::format("the file's model has {} = {}; what can be built is: {}", name, found, fmt::join(known, ", ")));
  }
  void write(Value wanted, Metadata& metadata) const {
    for (const auto& [text, value] : values)
      if (value == wanted) metadata[name] = text;
  }
};

const Setting<Block> blocks{"resblock_type", {{"biggan", Block::biggan}, {"ddpm", Block::ddpm}}};
const Setting<Filter> filters{"fir", {{"False", Filter::box}, {"True", Filter::fir}}};
const Setting<Embedding> embeddings{"embedding_type",
                                    {{"positional", Embedding::positional}, {"fourier", Embedding::fourier}}};
const Setting<Pyramid> input_pyramids{
    "progressive_input", {{"none", Pyramid::none}, {"input_skip", Pyramid::skip}, {"residual", Pyramid::residual}}};
const Setting<Pyramid> output_pyramids{
    "progressive", {{"none", Pyramid::none}, {"output_skip", Pyramid::skip}, {"residual", Pyramid::residual}}};
const Setting<Combine> combines{"progressive_combine", {{"sum", Combine::sum}, {"cat", Combine::concatenate}}};
const Setting<bool> rescales{"skip_rescale", {{"False", false}, {"True", true}}};
const Setting<bool> centred{"centered", {{"False", false}, {"True", true}}};
const Setting<bool> divides{"scale_by_sigma", {{"False", false}, {"True", true}}};
const Setting<bool> models{"model", {{"ncsnpp", true}, {"ddpm", false}}};
const Setting<bool> ve{"sde", {{"VPSDE", false}, {"subVPSDE", false}, {"VESDE", true}}};

/// What is NCSN++'s own (models/ncsnpp.py).
void read_ncsnpp(const Metadata& metadata, UNetSpec& spec) {
  spec.block = blocks.read(metadata);
  spec.filter = filters.read(metadata);
  if (spec.filter == Filter::fir && metadata.contains("fir_kernel")) {
    kernels::require(integers(setting(metadata, "fir_kernel")) == std::vector<int>{1, 3, 3, 1},
                     "the file's model has fir_kernel = {}; what can be built is: [1, 3, 3, 1]",
                     setting(metadata, "fir_kernel"));
  }
  spec.input_pyramid = input_pyramids.read(metadata);
  spec.output_pyramid = output_pyramids.read(metadata);
  if (metadata.contains("progressive_combine")) spec.combine = combines.read(metadata);
  spec.embedding = embeddings.read(metadata);
  spec.residual_scale = rescales.read(metadata) ? static_cast<float>(std::sqrt(0.5)) : 1.0f;
}

/// What is the original DDPM network's own (models/ddpm.py): its embedding is positional, whatever the metadata says.
void read_ddpm(UNetSpec& spec) {
  spec.block = Block::ddpm;
  spec.group_channels = 1;
  spec.residual_scale = 1;
}

bool is_ddpm(const UNetSpec& spec) {
  return spec.block == Block::ddpm && spec.group_channels == 1 && spec.residual_scale == 1 &&
         spec.filter == Filter::box && spec.embedding == Embedding::positional && spec.input_pyramid == Pyramid::none &&
         spec.output_pyramid == Pyramid::none;
}

/// As Python writes a tuple.
std::string tuple(const std::vector<int>& values) {
  return fmt::format("({}{})", fmt::join(values, ", "), values.size() == 1 ? "," : "");
}

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
  UNetSpec spec;
  spec.image_size = integer(metadata, "image_size");
  if (metadata.contains("num_channels")) spec.image_channels = integer(metadata, "num_channels");
  spec.channels = integer(metadata, "nf");
  spec.channel_multipliers = integers(setting(metadata, "ch_mult"));
  spec.blocks = integer(metadata, "num_res_blocks");
  spec.attention_sizes = integers(setting(metadata, "attn_resolutions"));
  spec.unit_range = !centred.read(metadata);
  const bool divided = divides.read(metadata), of_ve = metadata.contains("sde") && ve.read(metadata);
  spec.prediction = divided ? Prediction::scaled_score : of_ve ? Prediction::score : Prediction::noise;
  if (models.read(metadata))
    read_ncsnpp(metadata, spec);
  else
    read_ddpm(spec);
  return spec;
}

Metadata reference_metadata(const UNetSpec& spec) {
  const bool ddpm = is_ddpm(spec);
  kernels::require(spec.time_input == TimeInput::add && spec.up_attention == UpAttention::after_level &&
                       spec.head_channels == 0 && spec.classes == 0 && spec.resampled_shortcut_conv &&
                       (spec.group_channels == 4 || ddpm) && spec.fourier_features == 0 && spec.time_bias &&
                       !spec.adds_input && !spec.told_mirrored,
                   "the reference implementation has no such network: its norms are not modulated, its attention has "
                   "one head, it is told no classes, and it has nothing of VDM; use our names");
  Metadata metadata;
  metadata["image_size"] = std::to_string(spec.image_size);
  metadata["num_channels"] = std::to_string(spec.image_channels);
  metadata["nf"] = std::to_string(spec.channels);
  metadata["ch_mult"] = tuple(spec.channel_multipliers);
  metadata["num_res_blocks"] = std::to_string(spec.blocks);
  metadata["attn_resolutions"] = tuple(spec.attention_sizes);
  models.write(!ddpm, metadata);
  centred.write(!spec.unit_range, metadata);
  divides.write(spec.prediction == Prediction::scaled_score, metadata);
  if (ddpm) return metadata;
  blocks.write(spec.block, metadata);
  filters.write(spec.filter, metadata);
  embeddings.write(spec.embedding, metadata);
  input_pyramids.write(spec.input_pyramid, metadata);
  output_pyramids.write(spec.output_pyramid, metadata);
  combines.write(spec.combine, metadata);
  rescales.write(spec.residual_scale != 1, metadata);
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
