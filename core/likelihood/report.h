// Likelihoods as people and programs read them: a table with every term, and a file with every image.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/likelihood/estimate.h"

namespace core::likelihood {

struct Report {
  std::string data, model;  // what was evaluated, with the data's fingerprint
  std::int64_t passes = 1;
  std::vector<BoundTerms> bound = {};
  std::int64_t bound_times = 0;
  std::vector<OdeLikelihood> ode = {};
  double ode_tolerance = 0;
  std::optional<double> entropy = {};  // of the source, where it is known, bits/dim
  std::string entropy_meaning = {};
};

/// One figure of the report, bits/dim.
struct Row {
  std::string name;
  std::size_t level;  // 1: a term of the figure above it
  double mean;
  std::optional<double> standard_error;  // none of what is known exactly
  std::string how;
};
std::vector<Row> rows(const Report& report);

/// "± 0.0123"; "± unknown" of a single image; empty for what is known exactly.
std::string error_text(std::optional<double> standard_error);

/// Every figure with its standard error, estimator, passes and evaluations.
std::string text(const Report& report);

/// One line per image: index, the bound and its terms, the ODE likelihood and its evaluations; tab-separated with a
/// header. Throws InputError where the file cannot be written.
void write_per_image(const Report& report, const std::filesystem::path& file);

}  // namespace core::likelihood
