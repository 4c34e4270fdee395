// Where a run was trained: a line of jobs.jsonl for every job.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace launch {

/// One job: when it started (UTC), and on what.
struct Job {
  std::string started, version, host, processor;
  std::string device;  // of the first rank; empty where an older version wrote the line
  int cores = 0, ranks = 0, threads = 0;
};

/// This process as the job's first rank.
Job this_job(int ranks, int threads, const std::string& device);

/// Appends the job to jobs.jsonl in the run's folder. Throws InputError where it cannot be written.
void append_job(const std::filesystem::path& run, const Job& job);

/// All jobs of the run, oldest first; none where there is no file.
std::vector<Job> read_jobs(const std::filesystem::path& run);

}  // namespace launch
