// likelihood.json of a run: the table of its last evaluation, for the report.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/likelihood/report.h"

namespace launch {

struct LikelihoodTable {
  std::string data, model;
  std::vector<core::likelihood::Row> rows;
};

/// Throws InputError where the file cannot be written.
void write_likelihood(const std::filesystem::path& file, const core::likelihood::Report& report);

/// None where there is no file. Throws InputError where it is not what was written.
std::optional<LikelihoodTable> read_likelihood(const std::filesystem::path& file);

}  // namespace launch
