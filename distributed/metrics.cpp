#include "distributed/metrics.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/check.h"

namespace distributed {
namespace {

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole >= 86400) return fmt::format("{}d {:02}h", whole / 86400, whole / 3600 % 24);
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

/// The lines of a metrics file, parsed; a line that a cut-off run left unfinished ends the reading.
std::vector<nlohmann::json> read_lines(const std::filesystem::path& file) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("step") || !parsed["step"].is_number_integer()) break;
    lines.push_back(std::move(parsed));
  }
  return lines;
}

}  // namespace

Metrics::Metrics(const std::filesystem::path& folder, std::int64_t from_step)
    : file_(folder / "metrics.jsonl"), events_(folder, from_step) {
  const auto lines = read_lines(file_);
  out_.open(file_, std::ios::trunc);
  kernels::require(out_.good(), "{}: cannot be written: give a folder with write permission", file_.string());
  for (const auto& line : lines) {
    if (line.at("step").get<std::int64_t>() <= from_step) append(line.dump());
  }
}

void Metrics::append(const std::string& line) {
  out_ << line << '\n' << std::flush;
  kernels::require(out_.good(), "{}: could not be written: is the disk full?", file_.string());
}

void Metrics::write(const Progress& p) {
  nlohmann::json bins = nlohmann::json::array();
  for (int bin = 0; bin < core::objective::LossBits::bins; ++bin) bins.push_back(p.loss.by_log_snr(bin));  // NaN: null
  append(nlohmann::json{{"step", p.step},
                        {"loss_bits", p.loss.mean()},
                        {"loss_bits_by_log_snr", bins},
                        {"gradient_norm", p.gradient_norm},
                        {"learning_rate", p.learning_rate},
                        {"images_per_second", p.images_per_second},
                        {"exposed_communication", p.exposed_communication},
                        {"resident_mib", p.resident_mib}}
             .dump());
  std::vector<Scalar> scalars = {{"training/loss_bits", p.loss.mean()},
                                 {"training/gradient_norm", p.gradient_norm},
                                 {"training/learning_rate", p.learning_rate},
                                 {"training/images_per_second", p.images_per_second}};
  for (int bin = 0; bin < core::objective::LossBits::bins; ++bin) {
    const double bits = p.loss.by_log_snr(bin);
    if (!std::isnan(bits)) scalars.push_back({fmt::format("loss_bits_by_log_snr/{}", bin), bits});
  }
  events_.write(p.step, scalars);
}

void Metrics::write_heldout(std::int64_t step, double bits_per_dim, double standard_error, std::int64_t images) {
  nlohmann::json line = {{"step", step}, {"heldout_bits", bits_per_dim}, {"heldout_images", images}};
  std::vector<Scalar> scalars = {{"heldout/bits", bits_per_dim}};
  if (std::isfinite(standard_error)) {  // a single image has none
    line["heldout_bits_standard_error"] = standard_error;
    scalars.push_back({"heldout/standard_error", standard_error});
  }
  append(line.dump());
  events_.write(step, scalars);
}

std::vector<CurvePoint> read_curve(const std::filesystem::path& file, const std::string& field) {
  std::vector<CurvePoint> points;
  for (const auto& line : read_lines(file)) {
    if (!line.contains(field) || !line[field].is_number()) continue;
    const auto error = line.find(field + "_standard_error");
    const bool known = error != line.end() && error->is_number();
    points.push_back({line.at("step"), line.at(field), known ? error->get<double>() : NAN});
  }
  return points;
}

void Stretch::add(const core::objective::LossBits& loss, double gradient_norm) {
  loss_.add(loss);
  gradient_norm_ += gradient_norm;
  ++count_;
}

Progress Stretch::progress(std::int64_t step, std::int64_t steps) const {
  const double seconds = timer_.seconds() - paused_;
  const auto count = static_cast<double>(count_);
  return {.step = step,
          .steps = steps,
          .loss = loss_,
          .gradient_norm = gradient_norm_ / count,
          .images_per_second = loss_.images() / seconds,
          .seconds_per_step = seconds / count,
          .exposed_communication = waited_ / seconds};
}

std::string progress_line(const Progress& p) {
  const double left = static_cast<double>(p.steps - p.step);
  return fmt::format("step {}/{}  loss {:.4f} bits/dim  |g| {:.3g}  lr {:.3g}  {:.1f} images/s  {:.0f} MiB  {}", p.step,
                     p.steps, p.loss.mean(), p.gradient_norm, p.learning_rate, p.images_per_second, p.resident_mib,
                     left > 0 ? clock_text(left * p.seconds_per_step) + " left" : "done");
}

double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

}  // namespace distributed
