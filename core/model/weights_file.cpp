#include "core/model/weights_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "kernels/check.h"

namespace core::model {
namespace {

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

std::vector<std::int64_t> extents(const kernels::Shape& shape) {
  std::vector<std::int64_t> extents;
  for (int i = 0; i < shape.rank(); ++i) extents.push_back(shape[i]);
  return extents;
}

Shapes expected_shapes(const NetworkParameters& network, Names names) {
  Shapes shapes;
  for (std::size_t i = 0; i < network.ours.size(); ++i) {
    const auto& [tensor, name, initialiser, training] = network.ours[i];
    if (names == Names::ours) {
      shapes[name] = extents(tensor.shape);
      continue;
    }
    for (const std::string& theirs : network.reference[i].names) {
      shapes[theirs] = reference_shape(network.reference[i], tensor.shape);
    }
  }
  return shapes;
}

/// The prefix of the reference's names in the file; none where its names are ours.
std::optional<std::string> reference_prefix(const SafeTensors& file) {
  for (const std::string prefix : {"param.", "module.", ""}) {
    const auto first = file.tensors.lower_bound(prefix + "all_modules.");
    if (first != file.tensors.end() && first->first.starts_with(prefix + "all_modules.")) return prefix;
  }
  return std::nullopt;
}

std::string listed(const char* what, const std::vector<std::string>& names) {
  constexpr std::size_t most = 6;
  if (names.empty()) return {};
  const std::vector<std::string> first(names.begin(), names.begin() + std::min(most, names.size()));
  return fmt::format("; {} {}: {}{}", names.size(), what, fmt::join(first, ", "), names.size() > most ? ", ..." : "");
}

void require_same_tensors(const SafeTensors& file, const std::string& source, const std::string& prefix,
                          const Shapes& expected) {
  std::vector<std::string> missing, different, unknown;
  for (const auto& [name, shape] : expected) {
    const auto found = file.tensors.find(prefix + name);
    if (const auto other = file.unread.find(prefix + name); other != file.unread.end()) {
      different.push_back(fmt::format("{} {}, not F32", name, other->second));
    } else if (found == file.tensors.end()) {
      missing.push_back(name);
    } else if (found->second.shape != shape) {
      different.push_back(
          fmt::format("{} [{}], not [{}]", name, fmt::join(found->second.shape, ","), fmt::join(shape, ",")));
    }
  }
  const auto look_up = [&](const std::string& name) {
    const bool buffer = name == prefix + "sigmas";  // of the reference's models; no weight
    if (!buffer && name.starts_with(prefix) && !expected.contains(name.substr(prefix.size()))) unknown.push_back(name);
  };
  for (const auto& [name, tensor] : file.tensors) look_up(name);
  for (const auto& [name, type] : file.unread) look_up(name);
  kernels::require(missing.empty() && different.empty() && unknown.empty(),
                   "{}: does not hold the config's network{}{}{}", source, listed("are missing", missing),
                   listed("have another shape or type", different), listed("belong to nothing", unknown));
}

}  // namespace

NetworkParameters::NetworkParameters(const UNetSpec& spec) {
  Program program;
  reference = record_unet(program, spec, unet_input(program, spec, 1), nullptr).reference;
  ours.assign(program.parameters().begin(), program.parameters().end());
}

std::map<std::string, NamedTensor> to_tensors(const NetworkParameters& network, Names names,
                                              const std::function<std::span<const float>(std::size_t)>& weights) {
  std::map<std::string, NamedTensor> tensors;
  for (std::size_t i = 0; i < network.ours.size(); ++i) {
    const auto& [tensor, name, initialiser, training] = network.ours[i];
    const std::span<const float> values = weights(i);
    if (names == Names::ours) {
      tensors[name] = {extents(tensor.shape), {values.begin(), values.end()}};
      continue;
    }
    auto theirs = to_reference(values, network.reference[i], tensor.shape);
    for (std::size_t part = 0; part < theirs.size(); ++part) {
      tensors[network.reference[i].names[part]] = std::move(theirs[part]);
    }
  }
  return tensors;
}

void from_tensors(const SafeTensors& file, const std::string& source, const NetworkParameters& network,
                  const std::function<std::span<float>(std::size_t)>& weights) {
  const std::optional<std::string> prefix = reference_prefix(file);
  require_same_tensors(file, source, prefix.value_or(""),
                       expected_shapes(network, prefix ? Names::reference : Names::ours));
  for (std::size_t i = 0; i < network.ours.size(); ++i) {
    const auto& [tensor, name, initialiser, training] = network.ours[i];
    const std::vector<float> values =
        prefix ? from_reference(file, *prefix, network.reference[i], tensor.shape) : file.tensors.at(name).values;
    std::ranges::copy(values, weights(i).begin());
  }
}

}  // namespace core::model
