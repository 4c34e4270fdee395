#include "kernels/simt/device.h"

#include <mutex>
#include <optional>

namespace kernels::simt {
namespace {

/// What the GPU refuses about a launch (compute capability 9.0).
std::optional<std::string> refusal(const Launch& launch) {
  const auto [bx, by, bz] = launch.block;
  const auto [gx, gy, gz] = launch.grid;
  const std::size_t threads = std::size_t{bx} * by * bz;
  if (threads == 0 || threads > 1024 || bx > 1024 || by > 1024 || bz > 64)
    return fmt::format("a block of {} x {} x {} threads; 1 to 1024 can be, at most 64 in z", bx, by, bz);
  if (gx == 0 || gy == 0 || gz == 0 || gx > 0x7fffffff || gy > 65535 || gz > 65535)
    return fmt::format("a grid of {} x {} x {} blocks; 1 to 2147483647 x 65535 x 65535 can be", gx, gy, gz);
  constexpr std::size_t most_shared = 227 << 10;
  if (launch.shared_bytes > most_shared)
    return fmt::format("{} bytes of dynamic shared memory, of at most {}", launch.shared_bytes, most_shared);
  if (running) return "launched from within a kernel";
  return std::nullopt;
}

}  // namespace

Device::Device(Options options) : options_(options), fibres_(&run_threads), races_(fibres_.memory()) {}

Device& Device::of(void* stream) {
  if (stream == nullptr) throw Error("the stream of an emulated launch is a simt::Device, and here is none");
  return *static_cast<Device*>(stream);
}

void Device::run(const Launch& launch) {
  static std::mutex one_at_a_time;  // arrays of a block are static, and devices may be used by several threads
  try {
    if (const auto reason = refusal(launch)) throw Error(*reason);
    const std::lock_guard lock(one_at_a_time);
    races_.begin_launch();
    Schedule schedule(options_.order, options_.seed);
    Block block(launch, schedule, fibres_, races_);
    const auto [x, y, z] = launch.grid;
    for (const std::size_t i : schedule.starts(std::size_t{x} * y * z))
      block.run({static_cast<unsigned>(i % x), static_cast<unsigned>(i / x % y), static_cast<unsigned>(i / x / y)});
  } catch (const Error& error) {
    throw Error(fmt::format("kernel {}: {}", launch.kernel, error.what()));
  }
}

}  // namespace kernels::simt
