#include "launch/record_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/program/describe.h"

namespace launch {

kernels::MachineSpeed speed_of(const kernels::Device& device, int threads) {
  return device.residence() == kernels::Residence::host ? kernels::measure_machine(threads) : kernels::h100;
}

std::vector<double> record_seconds(core::program::Executor& executor, int runs) {
  std::vector<double> best;
  for (int run = 0; run < runs; ++run) {
    const std::vector<double> ends = executor.run_timed();
    best.resize(ends.size(), INFINITY);
    for (std::size_t i = 0; i < best.size(); ++i) best[i] = std::min(best[i], ends[i] - (i > 0 ? ends[i - 1] : 0));
  }
  return best;
}

void RecordTable::measure(const core::program::Program& program, core::program::Executor& executor, int runs) {
  const std::vector<double> best = record_seconds(executor, runs);
  for (std::size_t i = 0; i < best.size(); ++i) {
    const core::program::Op& op = program.ops()[i];
    Row& row = rows_[kernels::name(op)];
    row.seconds += best[i];
    row.floor += kernels::floor_seconds(op, speed_);
    row.flops += kernels::flops(op);
    ++row.records;
  }
}

void RecordTable::add(const std::string& name, double seconds, double bytes) {
  others_[name] = {.seconds = seconds, .floor = bytes / speed_.bytes_per_second, .records = 1};
}

double RecordTable::floor_seconds() const {
  double sum = 0;
  for (const auto* rows : {&rows_, &others_})
    for (const auto& [name, row] : *rows) sum += row.floor;
  return sum;
}

void RecordTable::print(double whole) const {
  std::vector<std::pair<std::string, Row>> sorted(rows_.begin(), rows_.end());
  std::ranges::sort(sorted, [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  fmt::print("floor: products at {:.0f} GFLOP/s, of bf16 at {:.0f}{}; operands at {:.0f} GB/s\n",
             1e-9 * speed_.flops_per_second, 1e-9 * speed_.bf16_flops_per_second,
             speed_.conv_share < 1 ? ", a quarter of them for 3x3 convolutions" : "", 1e-9 * speed_.bytes_per_second);
  fmt::print("{:<22} {:>7} {:>10} {:>7} {:>10} {:>8} {:>9}\n", "record", "count", "ms", "share", "floor ms", "x floor",
             "GFLOP/s");
  for (const auto& [name, row] : sorted) print(name, row, whole);
  for (const auto& [name, row] : others_) print(name, row, whole);
}

void RecordTable::print(const std::string& name, const Row& row, double whole) {
  fmt::print("{:<22} {:>7} {:>10.2f} {:>6.1f}% {:>10.2f} {:>8.1f} {:>9}\n", name, row.records, 1e3 * row.seconds,
             100 * row.seconds / whole, 1e3 * row.floor, row.seconds / row.floor,
             row.flops > 0 ? fmt::format("{:.0f}", 1e-9 * row.flops / row.seconds) : "");
}

}  // namespace launch
