#include "core/config/load.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "core/config/overlay.h"
#include "kernels/check.h"

namespace core::config {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& file) {
  std::ifstream in(file);
  kernels::require(in.good(), "{}: cannot be opened", file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Throws where the path cannot be looked up, as one with too long a name.
bool is_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  kernels::require(status.type() != fs::file_type::none, "{}: {}", path.string(), error.message());
  return fs::is_regular_file(status);
}

fs::path find(const fs::path& name, const std::vector<fs::path>& preset_folders) {
  if (is_file(name)) return name;
  std::set<std::string> presets;
  for (const fs::path& folder : preset_folders) {
    const fs::path file = folder / (name.string() + ".textproto");
    if (is_file(file)) return file;
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".textproto") presets.insert(entry.path().stem().string());
    }
  }
  std::string list;
  for (const std::string& preset : presets) list += " " + preset;
  throw kernels::InputError(
      fmt::format("{}: is neither a file nor a preset; presets are:{}", name.string(), list.empty() ? " none" : list));
}

/// A path relative to the file that names it, or what find() knows.
fs::path find_base(const fs::path& file, const std::string& base, const std::vector<fs::path>& preset_folders) {
  const fs::path beside = file.parent_path() / base;
  try {
    return find(is_file(beside) ? beside : fs::path(base), preset_folders);
  } catch (const kernels::InputError& error) {
    throw kernels::InputError(fmt::format("{}: base: {}", file.string(), error.what()));
  }
}

/// `files` are those that led here.
RunConfig load_with_bases(const fs::path& file, std::vector<fs::path> files,
                          const std::vector<fs::path>& preset_folders) {
  const fs::path canonical = fs::canonical(file);
  kernels::require(std::find(files.begin(), files.end(), canonical) == files.end(), "{}: is its own base",
                   file.string());
  files.push_back(canonical);
  Overlay own = parse(read(file), file.string());
  if (!own.config.has_base()) return own.config;
  RunConfig result = load_with_bases(find_base(file, own.config.base(), preset_folders), files, preset_folders);
  own.config.clear_base();
  apply(own, result);
  return result;
}

void override_with(const std::vector<std::string>& overrides, RunConfig& config) {
  for (const std::string& text : overrides) {
    const std::string source = fmt::format("--set '{}'", text);
    const Overlay over = parse(text, source);
    kernels::require(!over.config.has_base(), "{}: base: stands in config files only; give that file to --config",
                     source);
    apply(over, config);
  }
}

/// With its defaults; throws InputError where anything is wrong.
RunConfig completed(const RunConfig& given, const std::string& source) {
  const RunConfig config = with_defaults(given);
  const std::vector<Violation> found = violations(config);
  if (found.empty()) return config;
  std::string lines;
  for (const Violation& violation : found)
    lines += fmt::format("{}{}: {}", found.size() > 1 ? "\n  " : " ", violation.field, violation.message);
  throw kernels::InputError(fmt::format(
      "{}:{}{}", source, found.size() > 1 ? fmt::format(" {} fields are wrong:", found.size()) : "", lines));
}

}  // namespace

RunConfig load(const fs::path& file_or_preset, const std::vector<std::string>& overrides,
               const std::vector<fs::path>& preset_folders) {
  RunConfig config = load_with_bases(find(file_or_preset, preset_folders), {}, preset_folders);
  override_with(overrides, config);
  return config;
}

RunConfig load_valid(const fs::path& file_or_preset, const std::vector<std::string>& overrides,
                     const std::vector<fs::path>& preset_folders) {
  return completed(load(file_or_preset, overrides, preset_folders), file_or_preset.string());
}

RunConfig valid_text(const std::string& text, const std::string& source, const std::vector<std::string>& overrides) {
  RunConfig config = parse(text, source).config;
  override_with(overrides, config);
  return completed(config, source);
}

}  // namespace core::config
