#include "tests/kernels/simt/devices.h"

namespace kernels::test {

std::vector<simt::Options> orders() {
  return {{simt::Order::random, 1}, {simt::Order::reverse, 1}, {simt::Order::forward, 1}, {simt::Order::random, 2}};
}

}  // namespace kernels::test
