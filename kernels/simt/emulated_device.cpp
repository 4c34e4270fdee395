#include "kernels/simt/emulated_device.h"

#include "kernels/gpu_context.h"

namespace kernels::simt {
namespace {

/// Everything is done when it is told, in order. A captured program cannot wait for a stream that it has not begun.
class EmulatedSideStream final : public SideStream {
 public:
  explicit EmulatedSideStream(void* stream) : stream_(stream) {}
  void* handle() const override { return stream_; }
  void fork() override { forked_ = true; }
  void join() override { ensure(forked_, "a stream is joined that has not been forked since"), forked_ = false; }

 private:
  void* stream_;
  bool forked_ = false;
};

class EmulatedDevice : public HostDevice {
 public:
  EmulatedDevice(std::size_t memory_bytes, Options options)
      : free_(std::make_shared<std::size_t>(memory_bytes)), stream_(options) {}
  std::string name() const override { return "the emulated GPU"; }
  Residence residence() const override { return Residence::device; }
  std::unique_ptr<SideStream> side_stream() override { return std::make_unique<EmulatedSideStream>(&stream_); }

  Step prepare(const Op& op, const OnExchange& exchange) override {
    const GpuContext context{.stream = &stream_, .exchange = exchange, .tile = tile()};
    return std::visit([&](const auto& record) { return emulated::prepare(record, context); }, op);
  }
  std::optional<std::size_t> free_bytes() const override { return *free_; }

 private:
  std::shared_ptr<std::byte> take(std::size_t bytes) override {
    std::shared_ptr<std::byte> memory = HostDevice::take(bytes);
    *free_ -= bytes;
    std::byte* const address = memory.get();
    return {address, [memory = std::move(memory), free = free_, bytes](std::byte*) { *free += bytes; }};
  }

  std::shared_ptr<std::size_t> free_;
  simt::Device stream_;
};

}  // namespace

std::shared_ptr<kernels::Device> make_emulated_device(std::size_t memory_bytes, Options options) {
  return std::make_shared<EmulatedDevice>(memory_bytes, options);
}

}  // namespace kernels::simt
