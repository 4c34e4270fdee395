// The flat vectors where a device computes with them: on the CPU the host's own, else copies of those.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "distributed/device_vectors.h"
#include "distributed/parameters.h"
#include "kernels/device.h"

namespace distributed {

/// Floats of the host, and the same floats in a device's memory. Either side is changed by whoever computes there, and
/// brought to the other when it is wanted there.
class Mirrored {
 public:
  /// Begins with the host's values on both sides; `host` must outlive it. Throws InputError, about `purpose`, where the
  /// device has too little memory.
  Mirrored(std::shared_ptr<kernels::Device> device, std::span<float> host, const char* purpose);

  std::span<float> host() const { return host_; }
  /// In the device's memory: for Executor::bind, not to be read here.
  std::span<float> device() const { return copy_ ? copy_->span() : host_; }

  void to_device() const;
  void to_host() const;

 private:
  std::shared_ptr<kernels::Device> device_;
  std::span<float> host_;
  std::optional<DeviceVector> copy_;  // none where the device computes in the host's memory
};

/// What a training step reads and writes.
struct MirroredParameters {
  MirroredParameters(const Parameters& parameters, const std::shared_ptr<kernels::Device>& device);
  /// All that is saved, to or from the host.
  void state_to_device() const;
  void state_to_host() const;

  Mirrored weights, gradient, m, v, ema;
};

}  // namespace distributed
