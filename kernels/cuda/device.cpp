#include "kernels/cuda/device.h"

#include <fmt/ranges.h>

#include <nvtx3/nvtx3.hpp>

#include "kernels/cuda/blas.h"
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

Owned<cudaStream_t> make_stream(int priority = 0) {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, priority), "making a stream");
  return Owned<cudaStream_t>(stream);
}

/// A process uses one.
std::string use_gpu(int index, const CublasLt* library) {
  check(cudaSetDevice(index), "choosing a GPU");
  const std::string gpu = fmt::format("GPU {}, {}", index, properties(index).name);
  if (!library) return fmt::format("{} without {}", gpu, CublasLt::file_name());
  const std::size_t version = library->version();  // as CUBLAS_VERSION is made
  return fmt::format("{} with cuBLASLt {}.{}.{}", gpu, version / 10000, version / 100 % 100, version % 100);
}

int highest_priority() {
  int least = 0, greatest = 0;
  check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for the priorities of streams");
  return greatest;
}

/// Ahead of the main stream's work, which can wait for it but not the other way round.
class CudaSideStream final : public SideStream {
 public:
  explicit CudaSideStream(cudaStream_t main) : main_(main) {}
  void* handle() const override { return side_.get(); }
  void fork() override { order(main_, side_.get(), forked_.get()); }
  void join() override { order(side_.get(), main_, joined_.get()); }

 private:
  static void order(cudaStream_t first, cudaStream_t then, cudaEvent_t event) {
    check(cudaEventRecord(event, first), "ordering two streams");
    check(cudaStreamWaitEvent(then, event, 0), "ordering two streams");
  }
  cudaStream_t main_;
  Owned<cudaStream_t> side_ = make_stream(highest_priority());
  Owned<cudaEvent_t> forked_ = make_untimed_event(), joined_ = make_untimed_event();
};

class CudaDevice : public Device {
 public:
  explicit CudaDevice(int index) : CudaDevice(index, CublasLt::load()) {}
  CudaDevice(int index, const std::shared_ptr<const CublasLt>& library)
      : name_(use_gpu(index, library.get())),
        stream_(make_stream()),
        staging_(stream_.get(), waiting_),
        blas_(library ? make_blas(library, stream_.get()) : Blas()) {}
  ~CudaDevice() override { cudaStreamSynchronize(stream_.get()); }

  std::string name() const override { return name_; }
  Residence residence() const override { return Residence::device; }
  std::int64_t images_together() const override { return 128; }

  Step prepare(const Op& op, const OnExchange& exchange) override {
    const GpuContext context{.stream = stream_.get(), .exchange = exchange, .blas = blas_, .tile = tile()};
    return std::visit([&](const auto& record) { return cuda::prepare(record, context); }, op);
  }

  void write(std::byte* to, std::span<const std::byte> from) override { staging_.write(to, from); }
  void read(std::span<std::byte> to, const std::byte* from) override { staging_.read(to, from); }
  void finish() override {
    check(cudaEventRecord(finished_.get(), stream_.get()), "running a program");
    waiting_.wait_for(finished_.get(), "running a program");
  }
  std::optional<std::size_t> free_bytes() const override {
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    return free;
  }
  void while_waiting(std::function<void(double seconds)> watch) override { waiting_.watch(std::move(watch)); }
  std::unique_ptr<SideStream> side_stream() override { return std::make_unique<CudaSideStream>(stream_.get()); }

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
    // Relaxed, since libraries load what they launch when they first do, which other modes forbid meanwhile.
    check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeRelaxed), "capturing a program");
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
  Owned<cudaEvent_t> finished_ = make_untimed_event();
  Waiting waiting_;
  Staging staging_;
  Blas blas_;
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

void require_capability(int index, const std::string& name, int major, int minor) {
  require(major == 9 && minor == 0,
          "GPU {}, {}, has compute capability {}.{}, but the kernels are for 9.0 (H100, H200): use one of those, or "
          "--device cpu",
          index, name, major, minor);
}

std::shared_ptr<Device> open(int index) {
  const cudaDeviceProp found = properties(index);
  require_capability(index, found.name, found.major, found.minor);
  return std::make_shared<CudaDevice>(index);
}

}  // namespace kernels::cuda
