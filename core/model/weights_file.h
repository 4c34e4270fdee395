// A network's weights as a safetensors file, under our names or the reference implementation's.
#pragma once

#include <functional>
#include <span>

#include "core/model/reference.h"

namespace core::model {

enum class Names { ours, reference };

/// The parameters of a network: what they are called and how they lie, here and there.
struct NetworkParameters {
  explicit NetworkParameters(const UNetSpec& spec);
  std::vector<program::Parameter> ours;
  std::vector<ReferenceParameter> reference;  // of each
};

/// Every parameter under the names; weights(i) are those of parameter i.
std::map<std::string, NamedTensor> to_tensors(const NetworkParameters& network, Names names,
                                              const std::function<std::span<const float>(std::size_t)>& weights);

/// Fills weights(i) of every parameter from a file under either kind of names; the reference's may begin with "param."
/// or "module.". Throws InputError, beginning with `source`, that lists every tensor that is missing, has another shape
/// or belongs to no parameter.
void from_tensors(const SafeTensors& file, const std::string& source, const NetworkParameters& network,
                  const std::function<std::span<float>(std::size_t)>& weights);

}  // namespace core::model
