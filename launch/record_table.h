// The time of a program by kind of record, beside the least that this machine needs.
#pragma once

#include <map>
#include <string>

#include "core/program/executor.h"
#include "kernels/floor.h"

namespace launch {

/// Of the device, as floors are computed with.
kernels::MachineSpeed speed_of(const kernels::Device& device, int threads);

/// Of each record, that of the fastest of some runs.
std::vector<double> record_seconds(core::program::Executor& executor, int runs);

class RecordTable {
 public:
  explicit RecordTable(const kernels::MachineSpeed& speed) : speed_(speed) {}

  /// Runs the program and takes each record's time of the fastest of some runs.
  void measure(const core::program::Program& program, core::program::Executor& executor, int runs);
  /// Something that is no record; at the end of the table.
  void add(const std::string& name, double seconds, double bytes);

  double floor_seconds() const;
  /// Shares are of `whole` seconds.
  void print(double whole) const;

 private:
  struct Row {
    double seconds = 0, floor = 0, flops = 0;
    int records = 0;
  };
  static void print(const std::string& name, const Row& row, double whole);

  kernels::MachineSpeed speed_;
  std::map<std::string, Row> rows_, others_;
};

}  // namespace launch
