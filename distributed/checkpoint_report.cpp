#include "distributed/checkpoint_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <map>

#include "distributed/manifest.h"
#include "distributed/shard_file.h"

namespace distributed {
namespace {

namespace storage = core::storage;

std::int64_t bytes_of(const Manifest& manifest) {
  std::int64_t bytes = 0;
  for (const ManifestShard& shard : manifest.shards()) bytes += shard.bytes();
  return bytes;
}

CheckpointSummary summarise(const std::filesystem::path& folder, const CheckpointName& name) {
  CheckpointSummary summary{.name = name.text(),
                            .condition = CheckpointCondition::complete,
                            .step = name.step,
                            .generation = name.generation,
                            .written_at = {},
                            .problem = {}};
  try {
    const Manifest manifest = read_manifest(folder / summary.name);
    check_coverage(manifest);
    summary.bytes = bytes_of(manifest);
    summary.ranks = manifest.shards_size();
    summary.written_at = manifest.written_at();
  } catch (const storage::FileError& error) {
    summary.condition = CheckpointCondition::unreadable;
    summary.problem = error.what();
  }
  return summary;
}

}  // namespace

std::vector<CheckpointSummary> list_checkpoints(const std::filesystem::path& directory) {
  const std::filesystem::path folder = checkpoint_folder(directory);
  std::vector<CheckpointSummary> checkpoints;
  for (const CheckpointName& name : complete_checkpoints(folder)) checkpoints.push_back(summarise(folder, name));
  for (const std::string& name : names_with_prefix(folder, ".bad.")) {
    checkpoints.push_back({.name = name, .condition = CheckpointCondition::set_aside, .written_at = {}, .problem = {}});
  }
  for (const std::string& name : names_with_prefix(folder, ".tmp.")) {
    checkpoints.push_back(
        {.name = name, .condition = CheckpointCondition::unfinished, .written_at = {}, .problem = {}});
  }
  return checkpoints;
}

std::string describe(const std::vector<CheckpointSummary>& checkpoints) {
  constexpr std::array<const char*, 4> conditions{"complete", "unreadable", "set aside as damaged", "unfinished"};
  std::string text = fmt::format("{:<32} {:>10} {:>5} {:>10}  {:<19}  {}\n", "checkpoint", "step", "ranks", "MB",
                                 "written (UTC)", "condition");
  for (const CheckpointSummary& checkpoint : checkpoints) {
    const char* const condition = conditions[static_cast<std::size_t>(checkpoint.condition)];
    text += checkpoint.condition == CheckpointCondition::complete
                ? fmt::format("{:<32} {:>10} {:>5} {:>10.1f}  {:<19}  {}\n", checkpoint.name, checkpoint.step,
                              checkpoint.ranks, static_cast<double>(checkpoint.bytes) / 1e6, checkpoint.written_at,
                              condition)
                : fmt::format("{:<32} {:>10} {:>5} {:>10}  {:<19}  {}{}{}\n", checkpoint.name, "-", "-", "-", "-",
                              condition, checkpoint.problem.empty() ? "" : ": ", checkpoint.problem);
  }
  return text;
}

std::string show_checkpoint(const std::filesystem::path& checkpoint) {
  const Manifest manifest = read_manifest(checkpoint);
  std::map<std::string, std::int64_t> sections;
  for (const ManifestShard& shard : manifest.shards()) {
    for (const ManifestSection& part : shard.sections()) sections[part.name()] += part.end() - part.begin();
  }
  std::string text = fmt::format("step {}, generation {}, written by {} ranks at {} UTC, {:.1f} MB, format {}\n",
                                 manifest.step(), manifest.generation(), manifest.shards_size(), manifest.written_at(),
                                 static_cast<double>(bytes_of(manifest)) / 1e6, manifest.format_version());
  text += "\nsections\n";
  for (const auto& [name, count] : sections) text += fmt::format("  {}: {} elements\n", name, count);
  text +=
      fmt::format("\nparameters ({} tensors, {} elements with padding)\n", manifest.tensors_size(), manifest.total());
  for (const ManifestTensor& tensor : manifest.tensors()) {
    text += fmt::format("  {:>10}  {}[{}]\n", tensor.offset(), tensor.name(), fmt::join(tensor.shape(), ","));
  }
  const std::map<std::string, double> state(manifest.state().begin(), manifest.state().end());
  if (!state.empty()) text += "\nstate\n";
  for (const auto& [name, value] : state) text += fmt::format("  {}: {}\n", name, value);
  return text + "\nconfig\n" + manifest.config();
}

std::vector<std::string> verify_checkpoint(const std::filesystem::path& checkpoint) {
  std::vector<std::string> problems;
  const auto note_failure = [&](auto work) {
    try {
      work();
    } catch (const storage::FileError& error) {
      problems.emplace_back(error.what());
    }
  };
  Manifest manifest;
  note_failure([&] {
    manifest = read_manifest(checkpoint);
    check_name(checkpoint, manifest);
    check_coverage(manifest);
  });
  for (const ManifestShard& shard : manifest.shards()) {
    note_failure([&] { ShardReader(checkpoint, identity_of(manifest, shard), shard).verify(); });
  }
  return problems;
}

}  // namespace distributed
