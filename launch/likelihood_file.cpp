#include "launch/likelihood_file.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/check.h"

namespace launch {

void write_likelihood(const std::filesystem::path& file, const core::likelihood::Report& report) {
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& row : core::likelihood::rows(report)) {
    nlohmann::json entry = {{"name", row.name}, {"level", row.level}, {"bits_per_dim", row.mean}, {"how", row.how}};
    if (row.standard_error) entry["standard_error"] = *row.standard_error;
    rows.push_back(entry);
  }
  std::ofstream out(file);
  out << nlohmann::json{{"data", report.data}, {"model", report.model}, {"rows", rows}}.dump(2) << std::endl;
  kernels::require(out.good(), "{}: cannot be written", file.string());
}

std::optional<LikelihoodTable> read_likelihood(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  std::ifstream in(file);
  try {
    const auto content = nlohmann::json::parse(in);
    LikelihoodTable table{.data = content.at("data"), .model = content.at("model"), .rows = {}};
    for (const auto& entry : content.at("rows")) {
      auto& row = table.rows.emplace_back(core::likelihood::Row{
          entry.at("name"), entry.at("level"), entry.at("bits_per_dim"), std::nullopt, entry.at("how")});
      // Of a single image it is not a number, which JSON has no word for.
      if (const auto error = entry.find("standard_error"); error != entry.end())
        row.standard_error = error->is_null() ? NAN : error->get<double>();
    }
    return table;
  } catch (const nlohmann::json::exception& error) {
    throw kernels::InputError(
        fmt::format("{}: is not what evaluate writes ({}); evaluate the run again", file.string(), error.what()));
  }
}

}  // namespace launch
