#include "distributed/curves.h"

#include <fmt/format.h>

#include "core/likelihood/report.h"
#include "core/picture/plot.h"
#include "distributed/metrics.h"

namespace distributed {
namespace {

core::picture::Series series(const std::string& name, const std::vector<CurvePoint>& points) {
  core::picture::Series result{.name = name, .x = {}, .y = {}};
  for (const CurvePoint& point : points) {
    result.x.push_back(static_cast<double>(point.step));
    result.y.push_back(point.value);
  }
  return result;
}

}  // namespace

void draw_curves(const std::filesystem::path& run, std::optional<double> entropy) {
  const std::filesystem::path metrics = run / "metrics.jsonl";
  core::picture::Plot plot{
      .title = run.filename().string(), .x_label = "step", .y_label = "bits/dim", .series = {}, .references = {}};
  plot.series = {series("training loss (diffusion term)", read_curve(metrics, "loss_bits"))};
  core::picture::write_plot(run / "loss.png", plot);
  const auto heldout = read_curve(metrics, "heldout_bits");
  if (heldout.empty()) return;
  plot.series = {series("held-out variational bound", heldout)};
  if (entropy) plot.references.push_back({"entropy of the source", *entropy});
  core::picture::write_plot(run / "heldout.png", plot);
}

std::string heldout_table(const std::filesystem::path& run, std::optional<double> entropy) {
  const auto points = read_curve(run / "metrics.jsonl", "heldout_bits");
  if (points.empty()) return "";
  std::string table = fmt::format("{:>10}  held-out bound, bits/dim{}\n", "step", entropy ? "  above the entropy" : "");
  for (const CurvePoint& point : points) {
    table +=
        fmt::format("{:>10}  {:.4f} {}", point.step, point.value, core::likelihood::error_text(point.standard_error));
    table += entropy ? fmt::format("{:11}{:+.4f}\n", "", point.value - *entropy) : "\n";
  }
  return table;
}

}  // namespace distributed
