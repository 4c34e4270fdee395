// Binds a program to memory on one device, prepares each record once, then only runs the list.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/program/plan.h"
#include "core/program/program.h"
#include "kernels/device.h"

namespace core::program {

/// Where a value stopped being a number.
struct NonFinite {
  std::string operation, tensor;
  std::int64_t image = 0;  // index along the first dimension of the tensor
};

/// Whether a run of a program comes to its Exchange records, or passes them by.
enum class Exchanging : std::uint8_t { no, yes };

class Executor {
 public:
  /// The program is copied. Throws InputError where the device has too little memory for its activations.
  Executor(const Program& program, std::shared_ptr<kernels::Device> device, const kernels::OnExchange& exchange = {});
  Executor(const Executor&) = delete;

  /// Says where in the device's memory a parameter or gradient lies; needed for each before the first run.
  void bind(const Tensor& tensor, std::span<float> memory);
  /// Returns when the program is on its way; download() waits for it.
  void run(Exchanging exchanging = Exchanging::yes);
  /// The same, record by record: when each ended, in seconds from the beginning.
  std::vector<double> run_timed(Exchanging exchanging = Exchanging::yes);
  /// Runs the program record by record and without exchanging, looking for the first that writes a non-finite value.
  std::optional<NonFinite> find_non_finite();
  const Plan& plan() const { return plan_; }
  kernels::Device& device() const { return *device_; }

  /// Copies to and from inputs and outputs. The span has exactly the tensor's elements.
  template <typename T>
  void upload(const Tensor& tensor, std::span<const T> values) {
    kernels::ensure(tensor.element == kernels::element_of<T>(), "upload of the tensor's element type");
    upload_bytes(tensor, std::as_bytes(values));
  }
  /// The tensor's elements from `first` on, as many as there are values.
  template <typename T>
  void upload_part(const Tensor& tensor, std::int64_t first, std::span<const T> values) {
    kernels::ensure(tensor.element == kernels::element_of<T>(), "upload of the tensor's element type");
    kernels::ensure(first >= 0 && first + std::ssize(values) <= tensor.shape.elements(), "upload into the tensor");
    device_->write(place(tensor, Role::input, tensor.size_bytes()) + first * sizeof(T), std::as_bytes(values));
  }
  template <typename T>
  void download(const Tensor& tensor, std::span<T> values) {
    kernels::ensure(tensor.element == kernels::element_of<T>(), "download of the tensor's element type");
    download_bytes(tensor, std::as_writable_bytes(values));
  }

 private:
  void upload_bytes(const Tensor& tensor, std::span<const std::byte> values);
  void download_bytes(const Tensor& tensor, std::span<std::byte> values);
  std::byte*& base(const Tensor& tensor) { return base_[static_cast<std::size_t>(tensor.id)]; }
  std::byte* place(const Tensor& tensor, Role role, std::size_t bytes);
  void ensure_bound();
  void run_step(std::size_t record, Exchanging exchanging);
  std::optional<NonFinite> scan(const Op& op, const Tensor& tensor);

  std::shared_ptr<kernels::Device> device_;  // outlives what is allocated on it
  Program program_;
  std::vector<kernels::Step> steps_;
  Plan plan_;
  std::shared_ptr<std::byte> arena_;
  std::vector<std::byte*> base_;
  // By Exchanging; empty before the first such run and where something was bound anew.
  std::array<std::function<void()>, 2> replays_;
};

}  // namespace core::program
