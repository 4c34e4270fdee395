// How the tests of records run them in this program: on the emulated GPU, its threads in several orders.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/gpu_context.h"
#include "tests/kernels/narrow.h"
#include "tests/kernels/simt/devices.h"

namespace kernels::test {

template <typename T>
using BlockAllocator = std::allocator<T>;

/// Whether a kernel that finds its input wrong leaves nothing for the process to go on with.
constexpr bool a_refusal_is_final = false;

/// Whether records with products run in the first two ways only.
constexpr bool products_take_long = true;

struct Way {
  simt::Options options;
  std::shared_ptr<simt::Device> device = std::make_shared<simt::Device>(options);
  std::string name() const {
    return fmt::format("order {} with seed {}", static_cast<int>(options.order), options.seed);
  }
  template <typename Op>
  Step step_of(const Op& op) const {
    return emulated::prepare(op, GpuContext{.stream = device.get(), .exchange = {}, .blas = library()});
  }
  void finish() const {}
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

}  // namespace kernels::test
