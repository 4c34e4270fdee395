#include "distributed/checkpoint_read.h"

#include <algorithm>

#include "distributed/manifest.h"
#include "kernels/check.h"

namespace distributed {
namespace {

struct Chosen {
  std::string name;
  Manifest manifest;
};

/// The newest complete checkpoint, or that of a step. Collective.
Chosen choose(Communicator& communicator, const std::filesystem::path& directory, std::optional<std::int64_t> step) {
  const std::filesystem::path folder = checkpoint_folder(directory);
  std::string chosen, message;
  const auto failure = attempt_on_first(communicator, [&] {
    for (const CheckpointName& name : complete_checkpoints(folder)) {
      if (chosen.empty() && (!step || *step == name.step)) chosen = name.text();
    }
    if (!chosen.empty()) message = read_manifest(folder / chosen).SerializeAsString();
  });
  if (failure) throw kernels::RunError(failure->text, no_checkpoint_status);
  communicator.broadcast(chosen, 0);
  communicator.broadcast(message, 0);
  kernels::require(!chosen.empty(), "{} has no checkpoint{}: train first, or name another run", folder.string(),
                   step ? fmt::format(" of step {}", *step) : "");
  Chosen found{.name = chosen, .manifest = {}};
  kernels::ensure(found.manifest.ParseFromString(message), "a manifest survives a broadcast");
  return found;
}

}  // namespace

std::variant<Loaded, Failure> read_checkpoint(Communicator& communicator, const std::filesystem::path& path,
                                              const Layout& layout, const std::string& fixed_config,
                                              std::span<const Target> targets) {
  // One rank reads the manifest for all: another node may not see a new file for a while.
  std::string message;
  auto failure = attempt_on_first(communicator, [&] {
    const Manifest manifest = read_manifest(path);
    check_name(path, manifest);
    check_coverage(manifest);
    message = manifest.SerializeAsString();
  });
  if (failure) return *failure;
  communicator.broadcast(message, 0);
  Manifest manifest;
  kernels::ensure(manifest.ParseFromString(message), "a manifest survives a broadcast");
  require_same_run(path.string(), manifest, layout, fixed_config);
  failure = attempt(communicator, [&] { read_sections(path, manifest, targets); });
  if (failure) return *failure;
  return Loaded{.checkpoint = path.filename(),
                .step = manifest.step(),
                .state = {manifest.state().begin(), manifest.state().end()},
                .config = manifest.config(),
                .notes = {}};
}

CheckpointContent checkpoint_content(Communicator& communicator, const std::filesystem::path& directory,
                                     std::optional<std::int64_t> step) {
  const Manifest manifest = choose(communicator, directory, step).manifest;
  return {manifest.step(), layout_of(manifest)};
}

Loaded load_section(Communicator& communicator, const std::filesystem::path& directory,
                    std::optional<std::int64_t> step, const Layout& layout, const std::string& section,
                    std::span<float> flat) {
  const auto [chosen, manifest] = choose(communicator, directory, step);
  const Range own = shard_range(layout.total, communicator.rank(), communicator.size());
  const std::vector<Target> targets{{section, own.begin, own.of(flat)}};
  auto read =
      read_checkpoint(communicator, checkpoint_folder(directory) / chosen, layout, manifest.fixed_config(), targets);
  if (const auto* const failed = std::get_if<Failure>(&read)) {
    throw kernels::RunError(
        fmt::format("Checkpoint {} cannot be used: {}; choose an older one by its step", chosen, failed->text),
        no_checkpoint_status);
  }
  gather_shards(communicator, flat);
  return std::get<Loaded>(std::move(read));
}

void require_resumable(Communicator& communicator, const std::filesystem::path& directory,
                       const RunIdentity& identity) {
  const std::filesystem::path folder = checkpoint_folder(directory);
  std::string text;
  bool any = false;
  const auto failure = attempt_on_first(communicator, [&] {
    const auto all = complete_checkpoints(folder);
    any = !all.empty() || !names_with_prefix(folder, ".bad.").empty();
    if (all.empty()) return;
    try {
      require_same_run((folder / all.front().text()).string(), read_manifest(folder / all.front().text()),
                       identity.layout, identity.fixed_config);
    } catch (const kernels::InputError& error) {
      text = error.what();
    } catch (const core::storage::FileError&) {
      // Damaged: the load sets it aside and tries the next older one, once the folder is this job's.
    }
  });
  std::int64_t found[] = {any};
  communicator.broadcast(std::span<std::int64_t>(found), 0);
  communicator.broadcast(text, 0);
  kernels::require(!failure, "{}: {}", directory.string(), failure ? failure->text : "");
  kernels::require(found[0] != 0, "{}: has no checkpoint to resume from; leave out --resume to start",
                   directory.string());
  kernels::require(text.empty(), "{}", text);
}

void require_no_run(Communicator& communicator, const std::filesystem::path& directory) {
  std::int64_t found[] = {0};
  const auto failure =
      attempt_on_first(communicator, [&] { found[0] = !complete_checkpoints(checkpoint_folder(directory)).empty(); });
  kernels::require(!failure, "{}: cannot be a run's folder: {}; choose another training.directory", directory.string(),
                   failure ? failure->text : "");
  communicator.broadcast(std::span<std::int64_t>(found), 0);
  kernels::require(found[0] == 0,
                   "{}: holds the checkpoints of a run; go on with it by --resume, or give another training.directory",
                   directory.string());
}

}  // namespace distributed
