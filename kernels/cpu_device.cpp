#include <cstring>

#include "kernels/device.h"

namespace kernels {
namespace {

class CpuDevice : public Device {
 public:
  explicit CpuDevice(int threads) : threads_(threads) {}
  std::string name() const override {
    return fmt::format("CPU, {} {}", threads_, threads_ == 1 ? "thread" : "threads");
  }
  Residence residence() const override { return Residence::host; }

  Step prepare(const Op& op, const OnExchange& exchange) override {
    const CpuContext context{.threads = threads_, .exchange = exchange};
    return std::visit([&](const auto& record) { return kernels::prepare(record, context); }, op);
  }
  void write(std::byte* to, std::span<const std::byte> from) override { std::memcpy(to, from.data(), from.size()); }
  void read(std::span<std::byte> to, const std::byte* from) override { std::memcpy(to.data(), from, to.size()); }
  void finish() override {}
  std::function<void()> capture(std::function<void()> steps) override { return steps; }

 private:
  std::shared_ptr<std::byte> take(std::size_t bytes) override { return take_host_memory(bytes); }

  int threads_;
};

}  // namespace

std::shared_ptr<Device> make_cpu_device(int threads) {
  return std::make_shared<CpuDevice>(threads);
}

}  // namespace kernels
