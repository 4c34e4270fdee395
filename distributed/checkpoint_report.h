// What `scoremle checkpoint` tells about a run's checkpoints, from a single process.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "distributed/checkpoint_folder.h"

namespace distributed {

enum class CheckpointCondition { complete, unreadable, set_aside, unfinished };
struct CheckpointSummary {
  std::string name;
  CheckpointCondition condition;
  std::int64_t step = 0, generation = 0, bytes = 0;
  int ranks = 0;
  std::string written_at;  ///< UTC
  std::string problem;     ///< of an unreadable one
};

/// Everything in the checkpoint folder of the run in `directory`, complete ones first, newest first; reads manifests
/// only. Throws FileError.
std::vector<CheckpointSummary> list_checkpoints(const std::filesystem::path& directory);
/// The same as a table for people.
std::string describe(const std::vector<CheckpointSummary>& checkpoints);

/// All about one checkpoint for people: where it is from, its sections, parameters, state and config. `checkpoint` is
/// its directory. Throws FileError.
std::string show_checkpoint(const std::filesystem::path& checkpoint);
/// Reads every byte of a checkpoint. Returns one line for every problem; none where it is whole.
std::vector<std::string> verify_checkpoint(const std::filesystem::path& checkpoint);

}  // namespace distributed
