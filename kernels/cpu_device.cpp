#include "kernels/device.h"
#include "kernels/vector_kernels.h"
#include "kernels/widened.h"

namespace kernels {
namespace {

class CpuDevice : public HostDevice {
 public:
  explicit CpuDevice(int threads) : threads_(threads) {}
  std::string name() const override {
    return fmt::format("CPU, {} {}", threads_, threads_ == 1 ? "thread" : "threads");
  }
  Residence residence() const override { return Residence::host; }
  bool multiplies_bf16() const override { return has_avx512_bf16(); }

  Step prepare(const Op& op, const OnExchange& exchange) override {
    const CpuContext context{.threads = threads_, .exchange = exchange};
    return std::visit([&](const auto& record) { return prepare_stored(record, context); }, op);
  }

 private:
  int threads_;
};

}  // namespace

std::shared_ptr<Device> make_cpu_device(int threads) {
  return std::make_shared<CpuDevice>(threads);
}

}  // namespace kernels
