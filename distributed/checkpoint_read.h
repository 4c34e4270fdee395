// Reading one checkpoint together.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "distributed/agreement.h"
#include "distributed/checkpoint_store.h"

namespace distributed {

/// Fills the targets from the checkpoint in `path`: each rank reads and verifies its own ranges of whatever files hold
/// them. The same on every rank. Throws InputError where the checkpoint is of another run.
std::variant<Loaded, Failure> read_checkpoint(Communicator& communicator, const std::filesystem::path& path,
                                              const Layout& layout, const std::string& fixed_config,
                                              std::span<const Target> targets);

struct CheckpointContent {
  std::int64_t step;
  Layout layout;
};
/// What the newest complete checkpoint of the run in `directory`, or that of step `step`, is of. Throws InputError
/// where there is none, RunError with no_checkpoint_status where it is damaged. Collective.
CheckpointContent checkpoint_content(Communicator& communicator, const std::filesystem::path& directory,
                                     std::optional<std::int64_t> step);

/// Fills `flat`, on every rank all of the flat space, with one section ("weights", "ema") of the newest complete
/// checkpoint of the run in `directory`, or of that of step `step`. Changes nothing in the folder, so it may be used
/// beside a running job. Throws InputError where there is none or it is of another model, RunError with
/// no_checkpoint_status where it is damaged. Collective.
Loaded load_section(Communicator& communicator, const std::filesystem::path& directory,
                    std::optional<std::int64_t> step, const Layout& layout, const std::string& section,
                    std::span<float> flat);

/// Throws InputError where the newest checkpoint in `directory` is of another run, or there is none; a damaged one is
/// for the load to deal with. Changes nothing: a job that is refused must not disturb one that runs. Collective.
void require_resumable(Communicator& communicator, const std::filesystem::path& directory, const RunIdentity& identity);

/// Throws InputError where `directory` holds checkpoints already, or cannot be a run's folder. Collective.
void require_no_run(Communicator& communicator, const std::filesystem::path& directory);

}  // namespace distributed
