#include "distributed/mirrored.h"

namespace distributed {

Mirrored::Mirrored(std::shared_ptr<kernels::Device> device, std::span<float> host, const char* purpose)
    : device_(std::move(device)), host_(host) {
  if (device_->residence() == kernels::Residence::host) return;
  copy_.emplace(*device_, std::ssize(host), purpose);
  to_device();
}

void Mirrored::to_device() const {
  if (copy_) device_->write(copy_->bytes(), std::as_bytes(host_));
}

void Mirrored::to_host() const {
  if (copy_) device_->read(std::as_writable_bytes(host_), copy_->bytes());
}

MirroredParameters::MirroredParameters(const Parameters& parameters, const std::shared_ptr<kernels::Device>& device)
    : weights(device, parameters.weights(), "weights"),
      gradient(device, parameters.gradient(), "gradients"),
      m(device, parameters.m(), "the optimiser's moments"),
      v(device, parameters.v(), "the optimiser's moments"),
      ema(device, parameters.ema(), "averaged weights") {}

void MirroredParameters::state_to_device() const {
  for (const Mirrored* flat : {&weights, &m, &v, &ema}) flat->to_device();
}

void MirroredParameters::state_to_host() const {
  for (const Mirrored* flat : {&weights, &m, &v, &ema}) flat->to_host();
}

}  // namespace distributed
