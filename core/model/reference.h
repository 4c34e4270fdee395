// Models of the reference implementation (score_sde): their settings and weights as ours.
#pragma once

#include <span>

#include "core/model/safetensors.h"
#include "core/model/unet.h"

namespace core::model {

using Metadata = std::map<std::string, std::string>;

/// The network that a file's metadata describes. Throws InputError for one that this builder does not make.
UNetSpec reference_spec(const Metadata& metadata);
/// The metadata that describes the network: reference_spec() gives it back (dropout is no part of it).
Metadata reference_metadata(const UNetSpec& spec);
/// What the reference calls an SDE: "VPSDE".
std::string reference_name(config::SdeKind kind);

/// The shape of each of the reference's tensors that our parameter, of shape `shape`, is made of.
std::vector<std::int64_t> reference_shape(const ReferenceParameter& parameter, const kernels::Shape& shape);

/// Our parameter (elements of `shape`) from the reference's tensors, which are called prefix + name.
std::vector<float> from_reference(const SafeTensors& file, const std::string& prefix,
                                  const ReferenceParameter& parameter, const kernels::Shape& shape);
/// The reference's tensors from our parameter, in the order of their names.
std::vector<NamedTensor> to_reference(std::span<const float> ours, const ReferenceParameter& parameter,
                                      const kernels::Shape& shape);

}  // namespace core::model
