#include "tests/kernels/simt/devices.h"

namespace kernels::test {

std::vector<simt::Options> orders() {
  return {{simt::Order::random, 1}};
}

}  // namespace kernels::test
