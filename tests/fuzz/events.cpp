#include "distributed/events.h"
#include "tests/fuzz/file.h"

/// An event file that a cut-off run left; its records' checksums are what random bytes have.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = fuzz::as_file("events", {data, size});
  // Every second input is the message of a good record.
  if (size % 2 == 1) {
    const std::string record = distributed::record_of({reinterpret_cast<const char*>(data), size});
    fuzz::as_file("events", {reinterpret_cast<const std::uint8_t*>(record.data()), record.size()});
  }
  fuzz::refuses_or_reads([&] { distributed::read_events(file); });
  return 0;
}
