// What preparing an operation for the CPU may know: the threads it will run on and who answers an Exchange.
#pragma once

#include <functional>
#include <span>

namespace kernels {

struct CpuContext {
  int threads = 1;  // of the one OpenMP pool; oneDNN's primitives are made for this number
  /// Called by Exchange records with their topic and data; empty: alone, nothing to exchange.
  std::function<void(int topic, std::span<float> data)> exchange;
};

}  // namespace kernels
