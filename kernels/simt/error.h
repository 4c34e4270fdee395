// A mistake in a kernel or in its launch, in one line.
#pragma once

#include <stdexcept>

namespace kernels::simt {

struct Error : std::logic_error {
  using std::logic_error::logic_error;
};

}  // namespace kernels::simt
