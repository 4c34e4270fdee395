// What a training run says about itself: a progress line for people and a line of JSON for programs, every few steps.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "core/objective/loss_bits.h"
#include "distributed/events.h"

namespace distributed {

/// Seconds since it was made.
class Timer {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// What one stretch of steps amounted to, over all ranks.
struct Progress {
  std::int64_t step = 0, steps = 0;
  core::objective::LossBits loss;
  double gradient_norm = 0;  // before clipping, mean over the steps of the stretch
  double learning_rate = 0;
  double images_per_second = 0;
  double seconds_per_step = 0;
  double exposed_communication = 0;  // share of the time spent waiting for other ranks, of rank 0
  double resident_mib = 0;           // memory of the largest rank
};

/// Collects the steps between two reports.
class Stretch {
 public:
  void add(const core::objective::LossBits& loss, double gradient_norm);
  /// Time that ranks spent waiting for one another, and time that was not training at all.
  void waited(double seconds) { waited_ += seconds; }
  void paused(double seconds) { paused_ += seconds; }
  /// After `step` of `steps` steps.
  Progress progress(std::int64_t step, std::int64_t steps) const;

 private:
  Timer timer_;
  core::objective::LossBits loss_;
  std::int64_t count_ = 0;
  double gradient_norm_ = 0, waited_ = 0, paused_ = 0;
};

/// metrics.jsonl of a run in `folder`, and the same figures for TensorBoard. Only rank 0 has one; a resumed run
/// appends.
class Metrics {
 public:
  /// What is of steps after `from_step` (left by a run that was cut off after its last checkpoint) is removed.
  Metrics(const std::filesystem::path& folder, std::int64_t from_step);
  void write(const Progress& progress);
  void write_heldout(std::int64_t step, double bits_per_dim, double standard_error, std::int64_t images);
  /// For TensorBoard only.
  void write_picture(std::int64_t step, const std::string& tag, const core::picture::Picture& picture) {
    events_.write(step, tag, picture);
  }

 private:
  void append(const std::string& line);
  std::filesystem::path file_;
  std::ofstream out_;
  EventFile events_;
};

/// One point of a curve in metrics.jsonl.
struct CurvePoint {
  std::int64_t step;
  double value, standard_error;  // NaN: none
};

/// The values of `field` ("loss_bits", "heldout_bits", ...) in a run's metrics.jsonl, by step; empty where there is no
/// file.
std::vector<CurvePoint> read_curve(const std::filesystem::path& file, const std::string& field);

/// "step 120/600  loss 3.4120 bits/dim  |g| 0.83  lr 0.0002  512.0 images/s  473 MiB  1:23 left".
std::string progress_line(const Progress& progress);

/// Resident memory of this process in MiB.
double resident_mib();

}  // namespace distributed
