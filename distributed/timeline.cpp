#include "distributed/timeline.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/program/describe.h"
#include "kernels/check.h"

namespace distributed {

void Timeline::add(const std::string& name, double begin, double seconds, const std::string& detail) {
  events_.push_back({name, detail, begin, seconds});
}

std::string Timeline::events(int rank) const {
  std::vector<std::string> texts = {nlohmann::json{
      {"ph", "M"}, {"name", "process_name"}, {"pid", rank}, {"args", {{"name", fmt::format("rank {}", rank)}}}}
                                        .dump()};
  for (const Event& event : events_) {
    nlohmann::json json = {{"ph", "X"},         {"name", event.name},        {"pid", rank},
                           {"tid", 0},          {"ts", 1e6 * event.begin},  // microseconds
                           {"cat", "scoremle"}, {"dur", 1e6 * event.seconds}};
    if (!event.detail.empty()) json["args"]["writes"] = event.detail;
    texts.push_back(json.dump());
  }
  return fmt::format("{}", fmt::join(texts, ",\n"));
}

Timeline::Span::Span(Timeline* timeline, std::string name)
    : timeline_(timeline), name_(std::move(name)), begin_(timeline ? timeline->now() : 0) {}

Timeline::Span::~Span() {
  if (timeline_) timeline_->add(name_, begin_, timeline_->now() - begin_);
}

void run(core::program::Executor& executor, const core::program::Program& program, Timeline* timeline,
         core::program::Exchanging exchanging) {
  if (!timeline) return executor.run(exchanging);
  const double begin = timeline->now();
  double last_end = 0;
  const std::vector<double> ends = executor.run_timed(exchanging);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const core::program::Op& op = program.ops()[i];
    timeline->add(kernels::name(op), begin + last_end, ends[i] - last_end, core::program::written_by(op, program));
    last_end = ends[i];
  }
}

void write_timeline(const std::filesystem::path& file, std::span<const std::string> events) {
  std::ofstream out(file);
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
      << fmt::format("{}", fmt::join(events, ",\n")) << "\n]}\n"
      << std::flush;
  kernels::require(out.good(), "{}: cannot be written whole: give a writable file, and see that the disk is not full",
                   file.string());
}

}  // namespace distributed
