#include "core/model/safetensors.h"
#include "tests/fuzz/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = fuzz::as_file("a.safetensors", {data, size});
  fuzz::refuses_or_reads([&] { core::model::read_safetensors(file); });
  return 0;
}
