#include "tests/fuzz/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read_all(fuzz::as_file("a.npy", {data, size}));
  return 0;
}
