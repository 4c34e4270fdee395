// scoremle report: a run as one page for people.
#include <fstream>
#include <iostream>
#include <set>

#include "core/config/load.h"
#include "core/model/weights_file.h"
#include "core/sde/sde.h"
#include "distributed/metrics.h"
#include "launch/command.h"
#include "launch/page.h"

namespace launch {
namespace {

using core::picture::Plot;
using core::picture::Series;

/// Means of consecutive points, so that a long run's curve stays small and readable.
std::vector<distributed::CurvePoint> thinned(const std::vector<distributed::CurvePoint>& points) {
  constexpr std::size_t most = 400;
  const std::size_t group = (points.size() + most - 1) / most;
  if (group <= 1) return points;
  std::vector<distributed::CurvePoint> means;
  for (std::size_t begin = 0; begin < points.size(); begin += group) {
    const std::size_t end = std::min(points.size(), begin + group);
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += points[i].value;
    means.push_back({points[end - 1].step, sum / static_cast<double>(end - begin), 0});
  }
  return means;
}

Plot plot_of(const std::string& title, const std::string& name, const std::vector<distributed::CurvePoint>& points) {
  Series series{.name = name, .x = {}, .y = {}};
  bool uncertain = false;
  for (const auto& point : points) {
    series.x.push_back(static_cast<double>(point.step));
    series.y.push_back(point.value);
    series.deviation.push_back(point.standard_error > 0 ? point.standard_error : 0);
    uncertain |= point.standard_error > 0;
  }
  if (!uncertain) series.deviation.clear();
  return {.title = title, .x_label = "step", .y_label = "", .series = {series}, .references = {}};
}

std::vector<Plot> plots_of(const std::filesystem::path& metrics, const std::optional<LikelihoodTable>& likelihood) {
  std::vector<Plot> plots;
  if (const auto points = distributed::read_curve(metrics, "heldout_bits"); !points.empty()) {
    plots.push_back(plot_of("Held-out variational bound, bits/dim", "mean ± standard error", points));
    for (const auto& row : likelihood ? likelihood->rows : std::vector<core::likelihood::Row>()) {
      if (!row.standard_error) plots.back().references.push_back({row.name, row.mean});
    }
  }
  for (const auto& [field, title] : std::initializer_list<std::pair<const char*, const char*>>{
           {"loss_bits", "Training loss (diffusion term), bits/dim"},
           {"gradient_norm", "Gradient norm before clipping"},
           {"learning_rate", "Learning rate"},
           {"images_per_second", "Images per second"}}) {
    const auto points = distributed::read_curve(metrics, field);
    if (!points.empty()) plots.push_back(plot_of(title, "", thinned(points)));
  }
  return plots;
}

std::vector<PageContent::Figure> figures_of(const core::config::RunConfig& config, const std::filesystem::path& metrics,
                                            const std::optional<LikelihoodTable>& likelihood) {
  std::vector<PageContent::Figure> figures;
  const auto steps = distributed::read_curve(metrics, "loss_bits");
  figures.push_back({fmt::format("{} / {}", steps.empty() ? 0 : steps.back().step, config.training().steps()),
                     fmt::format("steps of {} images", core::config::global_batch(config))});
  for (const auto& row : likelihood ? likelihood->rows : std::vector<core::likelihood::Row>()) {
    if (row.level > 0) continue;
    const std::string error = row.standard_error ? fmt::format(" ± {:.4f}", *row.standard_error) : "";
    figures.push_back({fmt::format("{:.4f}{}", row.mean, error), row.name + ", bits/dim"});
  }
  std::int64_t parameters = 0;
  for (const auto& parameter : core::model::NetworkParameters(core::model::unet_spec(config)).ours)
    parameters += parameter.tensor.shape.elements();
  figures.push_back({fmt::format("{:.2f} M", 1e-6 * static_cast<double>(parameters)), "parameters"});
  if (const auto rate = distributed::read_curve(metrics, "images_per_second"); !rate.empty())
    figures.push_back({fmt::format("{:.1f}", rate.back().value), "images/s, last"});
  return figures;
}

/// The picture that sample wrote, or else the newest that training did; empty: none.
std::string samples_of(const std::filesystem::path& run) {
  std::filesystem::path file = run / "samples.png";
  if (!std::filesystem::exists(file)) {
    std::set<std::filesystem::path> by_step;
    for (const auto& entry : std::filesystem::directory_iterator(run)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("samples_") && name.ends_with(".png")) by_step.insert(entry.path());
    }
    if (!by_step.empty()) file = *by_step.rbegin();
  }
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int report(const std::string& run, const std::string& file, Session& session) {
  const std::filesystem::path folder = run,
                              output = file.empty() ? folder / "report.html" : std::filesystem::path(file);
  require_one_process(session, "report");
  const core::config::RunConfig config = load_run(folder, {}, session);
  require_writable(output);
  const auto likelihood = read_likelihood(folder / "likelihood.json");
  const PageContent content{
      .name = config.name(),
      .summary =
          fmt::format("{} · {} · {}×{}×{} images", folder.string(), core::sde::describe(core::sde::sde_of(config)),
                      config.data().image_size(), config.data().image_size(), config.data().channels()),
      .figures = figures_of(config, folder / "metrics.jsonl", likelihood),
      .likelihood = likelihood,
      .plots = plots_of(folder / "metrics.jsonl", likelihood),
      .samples_png = samples_of(folder),
      .config = core::config::text(config),
      .jobs = read_jobs(folder)};
  std::ofstream out(output);
  out << html(content) << std::flush;
  kernels::require(out.good(), "{}: could not be written: is the disk full?", output.string());
  std::cout << "report: " << output.string() << '\n';
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand(
      "report", "A run as one page of HTML: likelihood, curves, samples, config and environment, in a single file");
  struct Flags {
    std::string run, output;
  };
  auto flags = std::make_shared<Flags>();
  command->add_option("--run", flags->run, "Folder of the run (training.directory)")->required()->type_name("DIR");
  command->add_option("--output", flags->output, "The HTML file (default: report.html in the run's folder)");
  command->callback(
      [flags, &chosen] { chosen = [flags](Session& session) { return report(flags->run, flags->output, session); }; });
}

}  // namespace launch
