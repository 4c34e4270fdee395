#include "distributed/device_vectors.h"

#include <algorithm>

namespace distributed {

using kernels::AddTerms;

DeviceVector::DeviceVector(kernels::Device& device, std::int64_t count, const char* purpose)
    : count_(static_cast<std::size_t>(count)), memory_(device.allocate(count_ * sizeof(float), purpose)) {}

DeviceAddition::DeviceAddition(kernels::Device& device, std::span<const std::span<const float>> terms,
                               std::span<float> sum, std::span<float> copy) {
  while (!terms.empty() || !copy.empty()) {
    Part& part = parts_.emplace_back();
    const auto add = [&](std::span<const float> vector) {
      const kernels::Tensor tensor{.id = static_cast<std::int32_t>(part.base.size()), .shape = {std::ssize(vector)}};
      part.base.push_back(reinterpret_cast<std::byte*>(const_cast<float*>(vector.data())));
      return tensor;
    };
    AddTerms op{.sum = add(sum)};
    const auto now = terms.first(std::min(terms.size(), AddTerms::most));
    std::ranges::transform(now, op.terms.begin(), add);
    terms = terms.subspan(now.size());
    if (terms.empty() && !copy.empty()) {
      op.copy = add(copy);
      copy = {};
    }
    part.step = device.prepare(op, {});
  }
}

void DeviceAddition::run() const {
  for (const Part& part : parts_) part.step.run({.base = part.base});
}

}  // namespace distributed
