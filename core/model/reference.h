// Models of the reference implementation (score_sde): their settings and weights as ours.
#pragma once

#include "core/model/safetensors.h"
#include "core/model/unet.h"

namespace core::model {

/// The network that a file's metadata describes. Throws InputError for one that this builder does not make.
UNetSpec reference_spec(const std::map<std::string, std::string>& metadata);

/// Our parameter (elements of `shape`) from the reference's tensors, which are called prefix + name.
std::vector<float> from_reference(const SafeTensors& file, const std::string& prefix,
                                  const ReferenceParameter& parameter, const kernels::Shape& shape);

}  // namespace core::model
