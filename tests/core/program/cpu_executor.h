// Programs of tests on the CPU.
#pragma once

#include "core/program/executor.h"

namespace core::program::test {

inline std::unique_ptr<Executor> make_cpu_executor(const Program& program, int threads,
                                                   const kernels::OnExchange& exchange = {}) {
  return std::make_unique<Executor>(program, kernels::make_cpu_device(threads), exchange);
}

}  // namespace core::program::test
