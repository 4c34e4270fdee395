// How the tests of records run them in this program: on the emulated GPU, its threads in several orders.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/gpu_context.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/perturb.h"
#include "kernels/pointwise.h"
#include "tests/kernels/simt/devices.h"

namespace kernels::test {

struct Way {
  simt::Options options;
  std::shared_ptr<simt::Device> device = std::make_shared<simt::Device>(options);
  std::string name() const {
    return fmt::format("order {} with seed {}", static_cast<int>(options.order), options.seed);
  }
  template <typename Op>
  Step step_of(const Op& op) const {
    return emulated::prepare(op, GpuContext{.stream = device.get(), .exchange = {}});
  }
  /// The bits are the same in whatever order threads run.
  bool like(const Way&) const { return true; }
};

inline std::vector<Way> ways() {
  static const std::vector<Way> all = [] {
    std::vector<Way> list;
    for (const simt::Options& options : orders()) list.push_back({options});
    return list;
  }();
  return all;
}

/// The operands that may be stored as bf16 as well.
template <typename Op>
std::tuple<> narrow_operands(Op&) {
  return {};
}
inline auto narrow_operands(Silu& op) {
  return std::tie(op.x, op.y);
}
inline auto narrow_operands(SiluGradient& op) {
  return std::tie(op.x, op.dy, op.dx);
}
inline auto narrow_operands(AddScaled& op) {
  return std::tie(op.x, op.y);
}
inline auto narrow_operands(Affine& op) {
  return std::tie(op.x, op.y);
}
inline auto narrow_operands(ScaleImages& op) {
  return std::tie(op.x, op.y);
}
inline auto narrow_operands(FourierFeatures& op) {
  return std::tie(op.y);
}
inline auto narrow_operands(FourierFeaturesGradient& op) {
  return std::tie(op.dy);
}
inline auto narrow_operands(Concatenate& op) {
  return std::tie(op.x0, op.x1, op.y);
}
inline auto narrow_operands(Perturb& op) {
  return std::tie(op.xt);
}

inline auto narrow_operands(NoiseLoss& op) {
  return std::tie(op.output);
}
inline auto narrow_operands(NoiseLossGradient& op) {
  return std::tie(op.output, op.doutput);
}
inline auto narrow_operands(NormGradient& op) {
  return std::tie(op.dz, op.x0, op.x1, op.dx0, op.dx1);
}

}  // namespace kernels::test
