#include "core/model/reference.h"

#include <cmath>
#include <sstream>

#include "kernels/check.h"

namespace core::model {
namespace {

using Metadata = std::map<std::string, std::string>;

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

void expect(const Metadata& metadata, const std::string& name, const std::string& value) {
  kernels::require(setting(metadata, name) == value, "the file's model has {} = {}; only {} can be built", name,
                   setting(metadata, name), value);
}

}  // namespace

UNetSpec reference_spec(const Metadata& metadata) {
  for (const auto& [name, value] : Metadata{{"model", "ncsnpp"},
                                            {"resblock_type", "biggan"},
                                            {"fir", "False"},
                                            {"progressive", "none"},
                                            {"progressive_input", "none"},
                                            {"embedding_type", "positional"},
                                            {"scale_by_sigma", "False"},
                                            {"centered", "True"}}) {
    expect(metadata, name, value);
  }
  UNetSpec spec;
  spec.image_size = integers(setting(metadata, "image_size")).at(0);
  spec.image_channels = 3;
  spec.channels = integers(setting(metadata, "nf")).at(0);
  spec.channel_multipliers = integers(setting(metadata, "ch_mult"));
  spec.blocks = integers(setting(metadata, "num_res_blocks")).at(0);
  spec.attention_sizes = integers(setting(metadata, "attn_resolutions"));
  spec.residual_scale = setting(metadata, "skip_rescale") == "True" ? static_cast<float>(std::sqrt(0.5)) : 1.0f;
  return spec;
}

std::vector<float> from_reference(const SafeTensors& file, const std::string& prefix,
                                  const ReferenceParameter& parameter, const kernels::Shape& shape) {
  std::vector<float> ours;
  ours.reserve(static_cast<std::size_t>(shape.elements()));
  for (const std::string& name : parameter.names) {
    const auto found = file.tensors.find(prefix + name);
    kernels::require(found != file.tensors.end(), "the file has no tensor {}", prefix + name);
    const std::vector<float>& theirs = found->second.values;
    kernels::require(static_cast<std::int64_t>(theirs.size() * parameter.names.size()) == shape.elements(),
                     "tensor {} has {} elements where the network has {}", prefix + name, theirs.size(),
                     shape.elements() / static_cast<std::int64_t>(parameter.names.size()));
    if (parameter.layout == ReferenceLayout::same) {
      ours.insert(ours.end(), theirs.begin(), theirs.end());
      continue;
    }
    // oihw: theirs[(k c + i) taps + tap]; in_out: theirs[i k_count + k].
    const std::int64_t k_count = shape[0] / static_cast<std::int64_t>(parameter.names.size()),
                       taps = shape[1] * shape[2], c = shape[3];
    for (std::int64_t k = 0; k < k_count; ++k) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t i = 0; i < c; ++i) {
          const std::int64_t at =
              parameter.layout == ReferenceLayout::oihw ? (k * c + i) * taps + tap : i * k_count + k;
          ours.push_back(theirs[static_cast<std::size_t>(at)]);
        }
      }
    }
  }
  return ours;
}

}  // namespace core::model
