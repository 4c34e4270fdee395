#include "distributed/mirrored.h"

namespace distributed {

Mirrored::Mirrored(std::shared_ptr<kernels::Device> device, std::span<float> host, const char* purpose)
    : device_(std::move(device)), host_(host) {
  if (device_->residence() == kernels::Residence::host) return;
  const std::shared_ptr<std::byte> memory = device_->allocate(host.size_bytes(), purpose);
  copy_ = {memory, reinterpret_cast<float*>(memory.get())};
  to_device();
}

void Mirrored::to_device(Range range) const {
  if (!copy_) return;
  device_->write(reinterpret_cast<std::byte*>(range.of(device()).data()),
                 std::as_bytes(std::span<const float>(range.of(host_))));
}

void Mirrored::to_host(Range range) const {
  if (!copy_) return;
  device_->read(std::as_writable_bytes(range.of(host_)), reinterpret_cast<const std::byte*>(range.of(device()).data()));
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
