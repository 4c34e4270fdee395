// The folder that holds a run's checkpoints. Its listing is the only truth: there is no pointer to the latest one.
//
//   .gen_00002/                          a claim: every job that may write makes the next one, none is used twice
//   .tmp.step_0000001000-g00002.0/       being written; never read
//   step_0000000500-g00001/              complete: it got this name, in one rename, when all of it was on disk
//   .bad.step_0000000500-g00001/         found damaged by a load, and set aside for people to look at
//   .tmp.del.step_0000000100-g00001/     being deleted
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace distributed {

/// Steps done, and the generation of the job that wrote it; ordered by both. Clocks play no part.
struct CheckpointName {
  std::int64_t step, generation;
  auto operator<=>(const CheckpointName&) const = default;
  /// "step_0000000500-g00001"
  std::string text() const;
};

/// Where the checkpoints of a run in `directory` are.
inline std::filesystem::path checkpoint_folder(const std::filesystem::path& directory) {
  return directory / "ckpt";
}

/// Complete checkpoints, newest first. Throws FileError; a folder that does not exist holds none.
std::vector<CheckpointName> complete_checkpoints(const std::filesystem::path& folder);
/// Names in the folder that begin with `prefix`, sorted. Throws FileError.
std::vector<std::string> names_with_prefix(const std::filesystem::path& folder, const std::string& prefix);
/// 0 where none was claimed. Throws FileError.
std::int64_t newest_generation(const std::filesystem::path& folder);
/// Claims the next generation; makes the folder where it does not exist. Throws FileError.
std::int64_t claim_generation(const std::filesystem::path& folder);

/// Sets the damaged checkpoint `name` aside as .bad.<name>. Throws FileError.
void quarantine(const std::filesystem::path& folder, const std::string& name);
/// Deletes all complete checkpoints but the newest `keep` and those of every `keep_every`-th step (0: none of them);
/// renamed first, so that half of one never looks complete. Returns how many. Throws FileError.
int prune(const std::filesystem::path& folder, int keep, std::int64_t keep_every);
/// Deletes what was left half written or half deleted. Throws FileError.
void remove_leftovers(const std::filesystem::path& folder);
/// Deletes a directory with its files. Throws FileError.
void remove_directory(const std::filesystem::path& directory);

}  // namespace distributed
