#include "kernels/cuda/device.h"

#include <fmt/ranges.h>

#include <nvtx3/nvtx3.hpp>

#include "kernels/cuda/staging.h"
#include "kernels/gpu_context.h"

namespace kernels::cuda {
namespace {

cudaDeviceProp properties(int index) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, index), "asking what a GPU is");
  return properties;
}

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

Owned<cudaStream_t> make_stream(int index) {
  check(cudaSetDevice(index), "choosing a GPU");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  return Owned<cudaStream_t>(stream);
}

class CudaDevice : public Device {
 public:
  explicit CudaDevice(int index)
      : name_(fmt::format("GPU {}, {}", index, properties(index).name)),
        stream_(make_stream(index)),
        staging_(stream_.get()) {}
  ~CudaDevice() override { cudaStreamSynchronize(stream_.get()); }

  std::string name() const override { return name_; }
  Residence residence() const override { return Residence::device; }

  Step prepare(const Op& op, const OnExchange& exchange) override {
    ensure(!exchange || !std::holds_alternative<Exchange>(op), "other ranks are not heard in the midst of a graph");
    const GpuContext context{.stream = stream_.get(), .exchange = {}, .tile = tile()};
    return std::visit([&](const auto& record) { return cuda::prepare(record, context); }, op);
  }

  void write(std::byte* to, std::span<const std::byte> from) override { staging_.write(to, from); }
  void read(std::span<std::byte> to, const std::byte* from) override { staging_.read(to, from); }
  void finish() override { check(cudaStreamSynchronize(stream_.get()), "running a program"); }

  std::function<void()> capture(std::function<void()> steps) override {
    const Owned<cudaGraph_t> graph = graph_of(steps);
    cudaGraphExec_t made = nullptr;
    check(cudaGraphInstantiate(&made, graph.get(), 0), "making a graph of a program");
    const std::shared_ptr<std::remove_pointer_t<cudaGraphExec_t>> runnable(made, Destroy());
    return [runnable, stream = stream_.get()] { check(cudaGraphLaunch(runnable.get(), stream), "starting a program"); };
  }

  std::vector<double> time(std::span<const Part> parts) override {
    std::vector<Owned<cudaEvent_t>> events;
    const auto mark = [&] {
      events.push_back(make_event());
      check(cudaEventRecord(events.back().get(), stream_.get()), "timing a program");
    };
    finish();
    mark();
    for (const Part& part : parts) {
      const nvtx3::scoped_range range(part.name);
      part.run();
      mark();
    }
    finish();
    std::vector<double> ends;
    for (std::size_t i = 1; i < events.size(); ++i) {
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, events[0].get(), events[i].get()), "timing a program");
      ends.push_back(1e-3 * milliseconds);
    }
    return ends;
  }

 private:
  Owned<cudaGraph_t> graph_of(const std::function<void()>& steps) {
    cudaGraph_t graph = nullptr;
    check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal), "capturing a program");
    try {
      steps();
    } catch (...) {
      cudaStreamEndCapture(stream_.get(), &graph);
      Owned<cudaGraph_t>(graph).reset();
      throw;
    }
    check(cudaStreamEndCapture(stream_.get(), &graph), "capturing a program");
    return Owned<cudaGraph_t>(graph);
  }

  std::optional<std::size_t> free_bytes() const override {
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    return free;
  }
  std::shared_ptr<std::byte> take(std::size_t bytes) override {
    void* memory = nullptr;
    const cudaError_t result = cudaMalloc(&memory, std::max<std::size_t>(bytes, 1));
    if (result == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // or the next launch finds it
      return nullptr;
    }
    check(result, "allocating memory");
    return {static_cast<std::byte*>(memory), [](std::byte* taken) { cudaFree(taken); }};
  }

  std::string name_;
  Owned<cudaStream_t> stream_;
  Staging staging_;
};

}  // namespace

std::vector<Gpu> gpus() {
  int count = 0, driver = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result == cudaErrorInsufficientDriver) {
    check(cudaDriverGetVersion(&driver), "asking for the driver's version");
    require(driver > 0, "there is no NVIDIA driver here: start this on a machine with GPUs, or use --device cpu");
    throw InputError(
        fmt::format("the NVIDIA driver is for CUDA {} and older, this program needs {}: update the driver, or use "
                    "--device cpu",
                    version_text(driver), version_text(CUDART_VERSION)));
  }
  if (result != cudaErrorNoDevice) check(result, "looking for GPUs");
  require(count > 0,
          "no GPU is to be seen: ask for some and see that CUDA_VISIBLE_DEVICES names them, or use --device cpu");
  std::vector<Gpu> list;
  for (int i = 0; i < count; ++i) {
    const cudaDeviceProp found = properties(i);
    list.push_back({found.name, fmt::format("{:02x}", fmt::join(std::span(found.uuid.bytes), ""))});
  }
  return list;
}

std::shared_ptr<Device> open(int index) {
  const cudaDeviceProp found = properties(index);
  require(found.major == 9 && found.minor == 0,
          "GPU {}, {}, has compute capability {}.{}, but the kernels are for 9.0 (H100, H200): use one of those, or "
          "--device cpu",
          index, found.name, found.major, found.minor);
  return std::make_shared<CudaDevice>(index);
}

}  // namespace kernels::cuda
