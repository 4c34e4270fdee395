#include "core/likelihood/report.h"

#include <cmath>
#include <fstream>
#include <map>

#include "kernels/check.h"

namespace core::likelihood {
namespace {

template <typename Row, typename Value>
Summary over_images(const std::vector<Row>& rows, Value&& value) {
  std::vector<double> values;
  for (const Row& row : rows) values.push_back(value(row));
  return summarise(values);
}

}  // namespace

std::vector<Row> rows(const Report& report) {
  std::vector<Row> rows;
  if (!report.bound.empty()) {
    const auto total = over_images(report.bound, [](const BoundTerms& t) { return t.total(); });
    rows = {{"variational bound", 0, total.mean, total.standard_error,
             fmt::format("{} images, {} passes x {} evaluations, stratified in log-SNR", total.images, report.passes,
                         report.bound_times + 1)}};
    const auto term = [&](const char* name, double BoundTerms::*value, const char* how) {
      const auto summary = over_images(report.bound, [&](const BoundTerms& t) { return t.*value; });
      rows.push_back({name, 1, summary.mean, summary.standard_error, how});
    };
    term("prior", &BoundTerms::prior, "KL to the prior, closed form");
    term("diffusion", &BoundTerms::diffusion, "score matching, likelihood weighted");
    term("reconstruction", &BoundTerms::reconstruction, "at the smallest time, with the bits of a level's width");
  }
  if (!report.ode.empty()) {
    const auto bits = over_images(report.ode, [](const OdeLikelihood& o) { return o.bits; });
    const auto evaluations = over_images(report.ode, [](const OdeLikelihood& o) { return o.evaluations; });
    rows.push_back({"probability-flow ODE", 0, bits.mean, bits.standard_error,
                    fmt::format("{} images, {} passes, {:.0f} evaluations an image, tolerance {:g}, Rademacher probe",
                                bits.images, report.passes, evaluations.mean, report.ode_tolerance)});
  }
  if (report.entropy) {
    rows.push_back({"entropy of the source", 0, *report.entropy, std::nullopt, report.entropy_meaning});
  }
  return rows;
}

std::string error_text(std::optional<double> standard_error) {
  if (!standard_error) return "";
  return std::isfinite(*standard_error) ? fmt::format("± {:.4f}", *standard_error) : "± unknown";
}

std::string text(const Report& report) {
  std::string text = fmt::format("data   {}\nmodel  {}\n\n  {:<34} {:>9}   {:<8} how\n", report.data, report.model,
                                 "bits/dim", "mean", "s.e.");
  for (const Row& row : rows(report)) {
    text += fmt::format("  {:<34} {:>9.4f} {:<10} {}\n", std::string(2 * row.level, ' ') + row.name, row.mean,
                        error_text(row.standard_error), row.how);
  }
  return text;
}

void write_per_image(const Report& report, const std::filesystem::path& file) {
  struct Line {
    const BoundTerms* bound = nullptr;
    const OdeLikelihood* ode = nullptr;
  };
  std::map<std::int64_t, Line> lines;
  for (const BoundTerms& terms : report.bound) lines[terms.index].bound = &terms;
  for (const OdeLikelihood& likelihood : report.ode) lines[likelihood.index].ode = &likelihood;
  std::ofstream out(file);
  out << "image\tbound\tprior\tdiffusion\treconstruction\tode\tode_evaluations\n";
  for (const auto& [index, line] : lines) {
    out << index;
    if (line.bound)
      out << fmt::format("\t{:.12g}\t{:.12g}\t{:.12g}\t{:.12g}", line.bound->total(), line.bound->prior,
                         line.bound->diffusion, line.bound->reconstruction);
    else
      out << "\t\t\t\t";
    if (line.ode)
      out << fmt::format("\t{:.12g}\t{:g}", line.ode->bits, line.ode->evaluations);
    else
      out << "\t\t";
    out << '\n';
  }
  out.flush();
  kernels::require(out.good(), "{}: cannot be written", file.string());
}

}  // namespace core::likelihood
