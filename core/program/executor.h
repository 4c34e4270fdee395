// Binds a program to memory on one device, prepares each record once, then only runs the list.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/program/plan.h"
#include "core/program/program.h"

namespace core::program {

/// Where a value stopped being a number.
struct NonFinite {
  std::string operation, tensor;
  std::int64_t image = 0;  // index along the first dimension of the tensor
};

class Executor {
 public:
  virtual ~Executor() = default;
  /// Says where a parameter or gradient lies; needed for each before the first run.
  virtual void bind(const Tensor& tensor, std::span<float> memory) = 0;
  virtual void run() = 0;
  /// The same, with a call after each record.
  virtual void run(const std::function<void(std::size_t record)>& after) = 0;
  /// Runs the program record by record, looking for the first that writes a non-finite f32 value.
  virtual std::optional<NonFinite> find_non_finite() = 0;
  virtual const Plan& plan() const = 0;

  /// Copies to and from inputs and outputs. The span has exactly the tensor's elements.
  template <typename T>
  void upload(const Tensor& tensor, std::span<const T> values) {
    kernels::ensure(tensor.element == kernels::element_of<T>(), "upload of the tensor's element type");
    upload_bytes(tensor, std::as_bytes(values));
  }
  template <typename T>
  void download(const Tensor& tensor, std::span<T> values) {
    kernels::ensure(tensor.element == kernels::element_of<T>(), "download of the tensor's element type");
    download_bytes(tensor, std::as_writable_bytes(values));
  }

 protected:
  virtual void upload_bytes(const Tensor& tensor, std::span<const std::byte> values) = 0;
  virtual void download_bytes(const Tensor& tensor, std::span<std::byte> values) = 0;
};

/// The executor for CPU ranks. The program is copied.
std::unique_ptr<Executor> make_cpu_executor(const Program& program, kernels::CpuContext context);

}  // namespace core::program
