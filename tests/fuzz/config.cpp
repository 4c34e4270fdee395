#include "core/config/load.h"
#include "tests/fuzz/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = fuzz::as_file("a.textproto", {data, size});
  fuzz::refuses_or_reads([&] { core::config::text(core::config::load_valid(file, {}, {})); });
  return 0;
}
