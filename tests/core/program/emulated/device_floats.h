// Floats in a device's memory, for tests.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kernels/device.h"

namespace core::program::test {

class DeviceFloats {
 public:
  DeviceFloats(kernels::Device& device, const std::vector<float>& values)
      : device_(device), count_(values.size()), memory_(device.allocate(count_ * sizeof(float), "a test's floats")) {
    device.write(memory_.get(), std::as_bytes(std::span(values)));
  }
  std::span<float> span() const { return {reinterpret_cast<float*>(memory_.get()), count_}; }
  std::vector<float> values() const {
    std::vector<float> host(count_);
    device_.read(std::as_writable_bytes(std::span(host)), memory_.get());
    return host;
  }

 private:
  kernels::Device& device_;
  std::size_t count_;
  std::shared_ptr<std::byte> memory_;
};

}  // namespace core::program::test
