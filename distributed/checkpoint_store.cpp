#include "distributed/checkpoint_store.h"

#include <fmt/chrono.h>

#include <chrono>
#include <ctime>

#include "distributed/checkpoint_read.h"
#include "distributed/manifest.h"
#include "distributed/shard_file.h"
#include "kernels/check.h"

namespace distributed {
namespace {

namespace storage = core::storage;

bool disk_is_full(const std::optional<Failure>& failure) {
  return failure && (failure->code == ENOSPC || failure->code == EDQUOT);
}

// A file that is not what was written, is missing or sits on a bad sector: an older checkpoint may be whole. Anything
// else (no permission, no memory) would befall that one too, and is for people to mend.
bool is_damage(const Failure& failure) {
  return failure.code == storage::damaged || failure.code == ENOENT || failure.code == EIO;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

CheckpointStore::CheckpointStore(Communicator& communicator, const std::filesystem::path& directory,
                                 RunIdentity identity, int keep, std::int64_t keep_every)
    : communicator_(communicator),
      folder_(checkpoint_folder(directory)),
      identity_(std::move(identity)),
      keep_(keep),
      keep_every_(keep_every) {
  kernels::ensure(keep_ >= 1, "at least one checkpoint is kept");
  const auto failure = attempt_on_first(communicator_, [&] {
    generation_ = claim_generation(folder_);
    remove_leftovers(folder_);
  });
  kernels::require(!failure, "Checkpoints cannot be written: {}: choose a training.directory that can be",
                   failure ? failure->text : "");
  communicator_.broadcast(std::span(&generation_, 1), 0);
}

SaveResult CheckpointStore::save(std::int64_t step, std::span<const Section> sections, const State& state) {
  const auto start = std::chrono::steady_clock::now();
  Written written = write(step, sections, state);
  if (disk_is_full(written.failure)) {
    const auto not_pruned = attempt_on_first(communicator_, [&] { prune(folder_, 1, keep_every_); });
    if (!not_pruned) written = write(step, sections, state);
  }
  if (written.failure) {
    require_newest_generation();
    return {.outcome = SaveOutcome::failed,
            .text = fmt::format("checkpoint of step {} was not saved: {}", step, written.failure->text)};
  }
  const auto not_pruned = attempt_on_first(communicator_, [&] { prune(folder_, keep_, keep_every_); });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::string text = fmt::format("checkpoint {} saved: {:.1f} MB in {:.2f} s", CheckpointName{step, generation_}.text(),
                                 static_cast<double>(written.bytes) / 1e6, seconds);
  if (not_pruned) text += fmt::format(", but old ones stay: {}", not_pruned->text);
  return {.outcome = SaveOutcome::committed, .text = text, .bytes = written.bytes, .seconds = seconds};
}

CheckpointStore::Written CheckpointStore::write(std::int64_t step, std::span<const Section> sections,
                                                const State& state) {
  const CheckpointName name{step, generation_};
  const std::filesystem::path temporary = folder_ / fmt::format(".tmp.{}.{}", name.text(), attempts_++);
  std::string shard;
  std::int64_t bytes = 0;
  auto failure = attempt_on_first(communicator_, [&] { storage::make_directory(temporary); });
  if (!failure) {
    failure = attempt(communicator_, [&] {
      const ShardIdentity identity{step, generation_, communicator_.rank(), communicator_.size()};
      const ManifestShard entry = write_shard(temporary, identity, sections);
      bytes = entry.bytes();
      shard = entry.SerializeAsString();
    });
  }
  if (!failure) {
    const std::vector<std::string> shards = communicator_.all_gather(shard);
    failure = attempt_on_first(communicator_, [&] { commit(name, temporary, shards, state); });
  }
  if (failure) {
    // What cannot be deleted now goes when the next job starts.
    attempt_on_first(communicator_, [&] { remove_directory(temporary); });
    return {failure, 0};
  }
  communicator_.all_reduce(std::span(&bytes, 1), Combine::sum);
  return {failure, bytes};
}

// The order matters: everything the name promises is on disk before the name is, and the name itself is on disk before
// anyone hears of it.
void CheckpointStore::commit(const CheckpointName& name, const std::filesystem::path& temporary,
                             const std::vector<std::string>& shards, const State& state) {
  Manifest manifest;
  manifest.set_format_version(newest_format);
  manifest.set_min_reader_version(newest_format);
  manifest.set_step(name.step);
  manifest.set_generation(name.generation);
  manifest.set_config(identity_.config);
  manifest.set_fixed_config(identity_.fixed_config);
  set_layout(manifest, identity_.layout);
  for (const std::string& shard : shards) {
    kernels::ensure(manifest.add_shards()->ParseFromString(shard), "a rank's entry survives a gather");
  }
  manifest.mutable_state()->insert(state.begin(), state.end());
  manifest.set_written_at(fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(std::time(nullptr))));
  check_coverage(manifest);

  write_manifest(temporary, manifest);
  storage::sync_directory(temporary);
  if (newest_generation(folder_) != generation_) throw storage::FileError(ESTALE, "a newer job has claimed the folder");
  storage::rename_directory(temporary, folder_ / name.text());
  storage::sync_directory(folder_);
}

void CheckpointStore::require_newest_generation() {
  std::int64_t newest = generation_;
  attempt_on_first(communicator_, [&] { newest = newest_generation(folder_); });
  communicator_.broadcast(std::span(&newest, 1), 0);
  if (newest == generation_) return;
  throw kernels::RunError(
      fmt::format("This job (generation {}) is superseded: a newer one (generation {}) has claimed {}", generation_,
                  newest, folder_.string()),
      superseded_status);
}

std::optional<Loaded> CheckpointStore::load(std::span<const Target> targets) {
  std::string names;
  std::string set_aside;
  const auto failure = attempt_on_first(communicator_, [&] {
    for (const CheckpointName& name : complete_checkpoints(folder_)) names += name.text() + '\n';
    for (const std::string& name : names_with_prefix(folder_, ".bad.")) set_aside += ' ' + name;
  });
  if (failure) throw kernels::RunError(failure->text, no_checkpoint_status);
  communicator_.broadcast(names, 0);
  communicator_.broadcast(set_aside, 0);

  std::vector<std::string> notes;
  for (const std::string& name : split_lines(names)) {
    auto read = read_checkpoint(communicator_, folder_ / name, identity_.layout, identity_.fixed_config, targets);
    if (auto* const loaded = std::get_if<Loaded>(&read)) {
      loaded->notes = std::move(notes);
      return std::move(*loaded);
    }
    const Failure& damage = std::get<Failure>(read);
    if (!is_damage(damage)) {
      throw kernels::RunError(fmt::format("Checkpoint {} cannot be read: {}", name, damage.text), no_checkpoint_status);
    }
    const auto stays = attempt_on_first(communicator_, [&] { quarantine(folder_, name); });
    notes.push_back(fmt::format("checkpoint {} is damaged: {}; {}", name, damage.text,
                                stays ? "it stays: " + stays->text : "renamed to .bad." + name));
    set_aside += " .bad." + name;
  }
  // Never from scratch where there was progress: that is for people to decide.
  if (!set_aside.empty()) {
    throw kernels::RunError(
        fmt::format("No usable checkpoint in {}: all are damaged ({}){}; repair one, or remove them to "
                    "begin anew",
                    folder_.string(), set_aside.substr(1), notes.empty() ? "" : "; the newest: " + notes.front()),
        no_checkpoint_status);
  }
  return {};
}

}  // namespace distributed
