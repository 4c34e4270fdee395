// Vectors of floats in a device's memory, and their additions.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kernels/device.h"

namespace distributed {

/// `count` floats, not set.
class DeviceVector {
 public:
  /// Throws InputError, about `purpose`, where the device has too little memory.
  DeviceVector(kernels::Device& device, std::int64_t count, const char* purpose);
  /// Not to be read here, unless the device computes in the host's memory.
  std::span<float> span() const { return {reinterpret_cast<float*>(memory_.get()), count_}; }
  std::byte* bytes() const { return memory_.get(); }

 private:
  std::size_t count_;
  std::shared_ptr<std::byte> memory_;
};

/// sum += each of the terms, in their order; then copy = sum. Of one length; run() has its place in the order of what
/// the device is told, also in the midst of a program.
class DeviceAddition {
 public:
  DeviceAddition(kernels::Device& device, std::span<const std::span<const float>> terms, std::span<float> sum,
                 std::span<float> copy = {});
  void run() const;

 private:
  struct Part {
    kernels::Step step;
    std::vector<std::byte*> base;
  };
  std::vector<Part> parts_;  // of as many terms as one record takes
};

}  // namespace distributed
