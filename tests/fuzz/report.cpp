#include "launch/environment.h"
#include "launch/likelihood_file.h"
#include "tests/fuzz/file.h"

/// What a report reads besides the figures: the likelihood with its terms, and the jobs of the run.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto likelihood = fuzz::as_file("likelihood.json", {data, size});
  fuzz::refuses_or_reads([&] { launch::read_likelihood(likelihood); });
  const auto jobs = fuzz::as_file("jobs.jsonl", {data, size});
  fuzz::refuses_or_reads([&] { launch::read_jobs(jobs.parent_path()); });
  return 0;
}
