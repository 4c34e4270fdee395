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

/// Steps, copies and replays of one device happen in the order of the calls; only read() and finish() wait for them.
class Device {
 public:
  virtual ~Device() = default;

  /// "CPU, 8 threads" or "GPU 2, NVIDIA H100 80GB HBM3".
  virtual std::string name() const = 0;
  virtual Residence residence() const = 0;

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

  /// What does again what `steps` does, which runs steps on the same memory each time. It may be called once, now.
  virtual std::function<void()> capture(std::function<void()> steps) = 0;

  struct Part {
    std::string name;
    std::function<void()> run;
  };
  /// Runs the parts; when each of them ended, in seconds from the beginning.
  virtual std::vector<double> time(std::span<const Part> parts);

 protected:
  const ChooseTile& tile() const { return tile_; }

 private:
  /// Of memory not taken; none where that is not known.
  virtual std::optional<std::size_t> free_bytes() const { return std::nullopt; }
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
  std::function<void()> capture(std::function<void()> steps) override { return steps; }

 protected:
  std::shared_ptr<std::byte> take(std::size_t bytes) override;
};

/// The CPU; its steps run when they are called.
std::shared_ptr<Device> make_cpu_device(int threads);

}  // namespace kernels
