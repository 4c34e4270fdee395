#include "core/likelihood/report.h"

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

std::string row(const std::string& name, const Summary& summary, const std::string& how) {
  return fmt::format("  {:<34} {:>9.4f} ± {:<8.4f} {}\n", name, summary.mean, summary.standard_error, how);
}

}  // namespace

std::string text(const Report& report) {
  std::string text = fmt::format("data   {}\nmodel  {}\n\n  {:<34} {:>9}   {:<8} how\n", report.data, report.model,
                                 "bits/dim", "mean", "s.e.");
  if (!report.bound.empty()) {
    const auto total = over_images(report.bound, [](const BoundTerms& t) { return t.total(); });
    text += row("variational bound", total,
                fmt::format("{} images, {} passes x {} evaluations, stratified in log-SNR", total.images, report.passes,
                            report.bound_times + 1));
    text += row("  prior", over_images(report.bound, [](const BoundTerms& t) { return t.prior; }),
                "KL to the prior, closed form");
    text += row("  diffusion", over_images(report.bound, [](const BoundTerms& t) { return t.diffusion; }),
                "score matching, likelihood weighted");
    text += row("  reconstruction", over_images(report.bound, [](const BoundTerms& t) { return t.reconstruction; }),
                "at the smallest time, with the bits of a level's width");
  }
  if (!report.ode.empty()) {
    const auto bits = over_images(report.ode, [](const OdeLikelihood& o) { return o.bits; });
    const auto evaluations = over_images(report.ode, [](const OdeLikelihood& o) { return o.evaluations; });
    text += row("probability-flow ODE", bits,
                fmt::format("{} images, {} passes, {:.0f} evaluations an image, tolerance {:g}, Rademacher probe",
                            bits.images, report.passes, evaluations.mean, report.ode_tolerance));
  }
  if (report.entropy)
    text += fmt::format("  {:<34} {:>9.4f}            {}\n", "entropy of the source", *report.entropy,
                        report.entropy_meaning);
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
