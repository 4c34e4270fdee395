// What runs programs: the CPU, a GPU, or the emulated GPU of tests; without any header of CUDA.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/ops.h"
#include "kernels/tiles.h"

namespace kernels {

/// Called by Exchange records with their topic and data; empty: alone, nothing to exchange.
using OnExchange = std::function<void(int topic, std::span<float> data)>;

/// Whose memory a device computes in: the host's, or its own, to and from which everything is copied.
enum class Residence : std::uint8_t { host, device };

/// Work that a device does beside what it is told, such as messages.
class SideStream {
 public:
  virtual ~SideStream() = default;
  /// What its library calls a stream.
  virtual void* handle() const = 0;
  /// Its next work waits for all that the device was told so far.
  virtual void fork() = 0;
  /// What the device is told next waits for its work so far; after fork().
  virtual void join() = 0;
};

/// Steps, copies and replays of one device happen in the order of the calls; only read() and finish() wait for them.
class Device {
 public:
  virtual ~Device() = default;

  /// "CPU, 8 threads" or "GPU 2, NVIDIA H100 80GB HBM3 with cuBLASLt 13.1.0"; "without libcublasLt.so.13" where that is
  /// not found and all products of matrices are the kernels' own.
  virtual std::string name() const = 0;
  virtual Residence residence() const = 0;
  /// On how many images together a network is evaluated: as many as keep the whole device busy.
  virtual std::int64_t images_together() const { return 8; }

  /// Whether it has instructions for products of bf16; without them they take longer than those of float.
  virtual bool multiplies_bf16() const { return true; }

  virtual Step prepare(const Op& op, const OnExchange& exchange) = 0;
  /// The tiles of what is prepared from now on; a device without tensor cores has none.
  void choose_tiles(ChooseTile tile) { tile_ = std::move(tile); }

  /// So many bytes, aligned to 64 and not set, until the last pointer to them is gone; they must not outlive the
  /// device. Throws InputError, one line about `purpose`, where they are not to be had.
  std::shared_ptr<std::byte> allocate(std::size_t bytes, const char* purpose);

  /// Copies from the host; `from` may change when this returns.
  virtual void write(std::byte* to, std::span<const std::byte> from) = 0;
  /// Copies to the host.
  virtual void read(std::span<std::byte> to, const std::byte* from) = 0;
  virtual void finish() = 0;
  /// To be called every millisecond or so while read() or finish() waits, with for how long in seconds; where it
  /// throws, so do they.
  virtual void while_waiting(std::function<void(double seconds)> watch) = 0;

  /// Null where the device does nothing beside its steps.
  virtual std::unique_ptr<SideStream> side_stream() { return nullptr; }

  /// What does again what `steps` does, which runs steps on the same memory each time. It may be called once, now.
  virtual std::function<void()> capture(std::function<void()> steps) = 0;

  struct Part {
    std::string name;
    std::function<void()> run;
  };
  /// Runs the parts; when each of them ended, in seconds from the beginning.
  virtual std::vector<double> time(std::span<const Part> parts);

  /// Of memory not taken; none where that is not known.
  virtual std::optional<std::size_t> free_bytes() const { return std::nullopt; }

 protected:
  const ChooseTile& tile() const { return tile_; }

 private:
  /// Null where there is not as much.
  virtual std::shared_ptr<std::byte> take(std::size_t bytes) = 0;

  ChooseTile tile_ = tile_by_rule;
};

/// One that computes in the host's memory, and is done with a step when the call returns.
class HostDevice : public Device {
 public:
  void write(std::byte* to, std::span<const std::byte> from) override;
  void read(std::span<std::byte> to, const std::byte* from) override;
  void finish() override {}
  void while_waiting(std::function<void(double seconds)>) override {}
  std::function<void()> capture(std::function<void()> steps) override { return steps; }

 protected:
  std::shared_ptr<std::byte> take(std::size_t bytes) override;
};

/// Prepares steps as another device does, which must outlive it, but takes no memory and runs nothing: what would be
/// taken is counted.
class CountingDevice final : public Device {
 public:
  explicit CountingDevice(Device& device) : device_(device) {}
  std::size_t taken() const { return taken_; }

  std::string name() const override { return device_.name(); }
  Residence residence() const override { return device_.residence(); }
  std::int64_t images_together() const override { return device_.images_together(); }
  bool multiplies_bf16() const override { return device_.multiplies_bf16(); }
  Step prepare(const Op& op, const OnExchange& exchange) override { return device_.prepare(op, exchange); }
  void write(std::byte*, std::span<const std::byte>) override {}
  void read(std::span<std::byte>, const std::byte*) override {}
  void finish() override {}
  void while_waiting(std::function<void(double seconds)>) override {}
  std::function<void()> capture(std::function<void()>) override {
    return [] {};
  }

 private:
  std::shared_ptr<std::byte> take(std::size_t bytes) override;
  Device& device_;
  std::size_t taken_ = 0;
};

/// The CPU; its steps run when they are called.
std::shared_ptr<Device> make_cpu_device(int threads);

}  // namespace kernels
