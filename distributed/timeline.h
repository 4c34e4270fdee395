// What ran when, for a timeline viewer (ui.perfetto.dev, chrome://tracing).
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/program/executor.h"
#include "distributed/metrics.h"

namespace distributed {

/// Of one rank.
class Timeline {
 public:
  /// Seconds since it was made.
  double now() const { return timer_.seconds(); }
  /// Something that began at `begin`; what lies within it in time is shown below it.
  void add(const std::string& name, double begin, double seconds, const std::string& detail = "");
  /// Events of Chrome's trace format, separated by commas; the viewer's process is the rank.
  std::string events(int rank) const;

  /// Adds its own lifetime, where there is a timeline.
  class Span {
   public:
    Span(Timeline* timeline, std::string name);
    Span(const Span&) = delete;
    ~Span();

   private:
    Timeline* timeline_;
    std::string name_;
    double begin_;
  };

 private:
  struct Event {
    std::string name, detail;
    double begin, seconds;
  };
  Timer timer_;
  std::vector<Event> events_;
};

/// Runs the program; with a timeline, every record is on it.
void run(core::program::Executor& executor, const core::program::Program& program, Timeline* timeline,
         core::program::Exchanging exchanging = core::program::Exchanging::yes);

/// One file of all ranks' events. Throws InputError where it cannot be written.
void write_timeline(const std::filesystem::path& file, std::span<const std::string> events);

}  // namespace distributed
