// Writes a run's checkpoints so that none is ever half there, and loads the newest one that is whole, on any number of
// ranks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "distributed/agreement.h"
#include "distributed/checkpoint_folder.h"
#include "distributed/communicator.h"
#include "distributed/parameters.h"
#include "distributed/sections.h"

namespace distributed {

/// What a checkpoint belongs to, besides its numbers.
struct RunIdentity {
  Layout layout;
  std::string config;        ///< the whole effective config, protobuf text
  std::string fixed_config;  ///< its part that a resumed run must share
};

/// Small numbers of the training state by name; kept bit for bit.
using State = std::map<std::string, double>;

enum class SaveOutcome { committed, failed };
struct SaveResult {
  SaveOutcome outcome;
  std::string text;  ///< one line to report: what was saved, or which rank failed at which file and why
  std::int64_t bytes = 0;
  double seconds = 0;
};

struct Loaded {
  std::string checkpoint;
  std::int64_t step;
  State state;
  std::string config;              ///< that it was written with, protobuf text
  std::vector<std::string> notes;  ///< one line to report for every newer checkpoint that was found damaged
};

/// All functions are collective and return the same on every rank.
class CheckpointStore {
 public:
  /// Claims the next generation in `directory`/ckpt: an older job that still runs there can commit nothing any more.
  /// Throws InputError where the folder cannot be written.
  CheckpointStore(Communicator& communicator, const std::filesystem::path& directory, RunIdentity identity, int keep,
                  std::int64_t keep_every = 0);

  /// Writes the sections, which together must cover the flat space once under every name, and keeps the newest `keep`
  /// checkpoints. The commit is one rename after everything was synced and every rank agreed. A failure leaves older
  /// checkpoints as they are, so training may go on; a full disk is met by keeping one old checkpoint and trying again.
  /// Throws RunError with superseded_status where a newer job has claimed the folder.
  SaveResult save(std::int64_t step, std::span<const Section> sections, const State& state);

  /// Fills the targets from the newest whole checkpoint; none where there never was one. Damaged ones are renamed to
  /// .bad.* and the next older one is tried. Throws RunError with no_checkpoint_status where all are damaged or cannot
  /// be read, InputError where the checkpoint is of another config or model.
  std::optional<Loaded> load(std::span<const Target> targets);

  std::int64_t generation() const { return generation_; }

 private:
  struct Written {
    std::optional<Failure> failure;
    std::int64_t bytes;
  };
  Written write(std::int64_t step, std::span<const Section> sections, const State& state);
  void commit(const CheckpointName& name, const std::filesystem::path& temporary,
              const std::vector<std::string>& shards, const State& state);
  void require_newest_generation();

  Communicator& communicator_;
  std::filesystem::path folder_;
  RunIdentity identity_;
  int keep_;
  std::int64_t keep_every_;
  std::int64_t generation_ = 0;
  int attempts_ = 0;
};

/// Exit status of a job whose folder a newer job has taken over: it must not be started again.
constexpr int superseded_status = 76;
/// Exit status where checkpoints exist but none can be used.
constexpr int no_checkpoint_status = 4;

}  // namespace distributed
