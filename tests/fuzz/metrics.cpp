#include "distributed/curves.h"
#include "distributed/metrics.h"
#include "tests/fuzz/file.h"

/// The figures of a run, as a curve and as a table.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto run = fuzz::as_file("metrics.jsonl", {data, size}).parent_path();
  fuzz::refuses_or_reads([&] {
    distributed::read_curve(run / "metrics.jsonl", "loss_bits");
    distributed::heldout_table(run, 4.0);
  });
  return 0;
}
