#include "distributed/checkpoint_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "core/storage/file_io.h"

namespace distributed {
namespace {

namespace storage = core::storage;

std::optional<std::int64_t> number(std::string_view digits) {
  std::int64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

std::optional<CheckpointName> parse(std::string_view name) {
  const std::size_t separator = name.find("-g");
  if (!name.starts_with("step_") || separator == std::string_view::npos) return {};
  const auto step = number(name.substr(5, separator - 5)), generation = number(name.substr(separator + 2));
  if (!step || !generation) return {};
  return CheckpointName{*step, *generation};
}

}  // namespace

std::string CheckpointName::text() const {
  return fmt::format("step_{:010}-g{:05}", step, generation);
}

std::vector<std::string> names_with_prefix(const std::filesystem::path& folder, const std::string& prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.starts_with(prefix)) names.push_back(name);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw storage::FileError(error.value(), fmt::format("cannot list {}: {}", folder.string(), error.message()));
  }
  std::ranges::sort(names);
  return names;
}

std::vector<CheckpointName> complete_checkpoints(const std::filesystem::path& folder) {
  std::vector<CheckpointName> checkpoints;
  for (const std::string& name : names_with_prefix(folder, "step_")) {
    if (const auto parsed = parse(name)) checkpoints.push_back(*parsed);
  }
  std::ranges::sort(checkpoints, std::greater());
  return checkpoints;
}

std::int64_t newest_generation(const std::filesystem::path& folder) {
  std::int64_t newest = 0;
  for (const std::string& name : names_with_prefix(folder, ".gen_")) {
    newest = std::max(newest, number(std::string_view(name).substr(5)).value_or(0));
  }
  return newest;
}

std::int64_t claim_generation(const std::filesystem::path& folder) {
  storage::make_directories(folder);
  while (true) {
    const std::int64_t generation = newest_generation(folder) + 1;
    try {
      storage::make_directory(folder / fmt::format(".gen_{:05}", generation));
    } catch (const storage::FileError& claimed) {
      if (claimed.code != EEXIST) throw;
      continue;  // another job was faster
    }
    storage::sync_directory(folder);
    return generation;
  }
}

void quarantine(const std::filesystem::path& folder, const std::string& name) {
  storage::rename_directory(folder / name, folder / (".bad." + name));
  storage::sync_directory(folder);
}

int prune(const std::filesystem::path& folder, int keep, std::int64_t keep_every) {
  const std::vector<CheckpointName> all = complete_checkpoints(folder);
  int removed = 0;
  for (std::size_t i = keep; i < all.size(); ++i) {
    if (keep_every > 0 && all[i].step % keep_every == 0) continue;
    const std::filesystem::path doomed = folder / (".tmp.del." + all[i].text());
    storage::rename_directory(folder / all[i].text(), doomed);
    remove_directory(doomed);
    ++removed;
  }
  return removed;
}

void remove_leftovers(const std::filesystem::path& folder) {
  for (const std::string& name : names_with_prefix(folder, ".tmp.")) remove_directory(folder / name);
}

void remove_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error)
    throw storage::FileError(error.value(), fmt::format("cannot delete {}: {}", directory.string(), error.message()));
}

}  // namespace distributed
