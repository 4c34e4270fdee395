#include "launch/environment.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "kernels/check.h"

namespace launch {
namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
  }
  return "unknown";
}

std::string host() {
  std::string name(256, '\0');
  gethostname(name.data(), name.size() - 1);
  return name.c_str();
}

}  // namespace

Job this_job(int ranks, int threads, const std::string& device) {
  return {.started = fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(std::time(nullptr))),
          .version = SCOREMLE_VERSION,
          .host = host(),
          .processor = processor(),
          .device = device,
          .cores = static_cast<int>(std::thread::hardware_concurrency()),
          .ranks = ranks,
          .threads = threads};
}

void append_job(const std::filesystem::path& run, const Job& job) {
  const std::filesystem::path file = run / "jobs.jsonl";
  std::ofstream out(file, std::ios::app);
  out << nlohmann::json{{"started", job.started},     {"version", job.version}, {"host", job.host},
                        {"processor", job.processor}, {"cores", job.cores},     {"ranks", job.ranks},
                        {"threads", job.threads},     {"device", job.device}}
             .dump()
      << std::endl;
  kernels::require(out.good(), "{}: cannot be written", file.string());
}

std::vector<Job> read_jobs(const std::filesystem::path& run) {
  std::vector<Job> jobs;
  std::ifstream in(run / "jobs.jsonl");
  for (std::string line; std::getline(in, line);) {
    const auto job = nlohmann::json::parse(line, nullptr, false);
    if (job.is_discarded()) break;  // a job that was cut off while it wrote
    try {
      jobs.push_back({.started = job.at("started"),
                      .version = job.at("version"),
                      .host = job.at("host"),
                      .processor = job.at("processor"),
                      .device = job.value("device", ""),
                      .cores = job.at("cores"),
                      .ranks = job.at("ranks"),
                      .threads = job.at("threads")});
    } catch (const nlohmann::json::exception&) {
      throw kernels::InputError(fmt::format("{}: is not what train writes; remove it", (run / "jobs.jsonl").string()));
    }
  }
  return jobs;
}

}  // namespace launch
