#include "tests/fuzz/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::refuses_or_reads([&] { core::data::fit(core::data::decode({data, size}), 4, 3); });
  return 0;
}
