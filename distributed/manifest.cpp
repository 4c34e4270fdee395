#include "distributed/manifest.h"

#include <fmt/ranges.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <sstream>

#include "distributed/checkpoint_folder.h"
#include "kernels/check.h"

namespace distributed {
namespace {

namespace storage = core::storage;

constexpr std::int64_t largest_manifest = std::int64_t{1} << 30;
constexpr std::array<char, 8> magic_number{'s', 'c', 'o', 'r', 'm', 'n', 'f', 's'};

struct Trailer {
  std::int64_t length = 0;
  std::uint64_t hash = 0;
  std::array<char, 8> magic = magic_number;
};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

void write_file(const std::filesystem::path& path, std::initializer_list<std::span<const std::byte>> parts) {
  storage::File file = storage::File::create(path);
  for (const auto part : parts) file.write(part);
  file.sync_and_close();
}

// The fields of a protobuf text, each with the names of the messages around it: "model.channels: 64".
std::vector<std::string> fields_of(const std::string& text) {
  std::vector<std::string> fields;
  std::string prefix;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string::npos) continue;
    line = line.substr(begin, line.find_last_not_of(' ') + 1 - begin);
    if (line == "}") {
      prefix.erase(prefix.size() < 2 ? 0 : prefix.rfind('.', prefix.size() - 2) + 1);
    } else if (line.ends_with(" {")) {
      prefix += line.substr(0, line.size() - 2) + ".";
    } else {
      fields.push_back(prefix + line);
    }
  }
  return fields;
}

std::vector<std::string> only_in_first(std::vector<std::string> first, std::vector<std::string> second) {
  std::ranges::sort(first);
  std::ranges::sort(second);
  std::vector<std::string> difference;
  std::ranges::set_difference(first, second, std::back_inserter(difference));
  return difference;
}

std::string shown(const std::vector<std::string>& fields) {
  return fields.empty() ? "nothing" : fmt::format("{}", fmt::join(fields, ", "));
}

std::vector<std::string> tensors_of(const Layout& layout) {
  std::vector<std::string> tensors;
  for (const TensorPlace& tensor : layout.tensors) {
    tensors.push_back(fmt::format("{}[{}] at {}", tensor.name, fmt::join(tensor.shape, ","), tensor.offset));
  }
  return tensors;
}

}  // namespace

void write_manifest(const std::filesystem::path& directory, const Manifest& manifest) {
  const std::string message = manifest.SerializeAsString();
  const Trailer trailer{.length = std::ssize(message), .hash = storage::checksum(bytes_of(message))};
  write_file(directory / "MANIFEST.pb", {bytes_of(message), std::as_bytes(std::span(&trailer, 1))});
  std::string text;
  google::protobuf::TextFormat::PrintToString(manifest, &text);
  write_file(directory / "MANIFEST.txt", {bytes_of(text)});
}

Manifest read_manifest(const std::filesystem::path& directory) {
  const storage::File file = storage::File::open(directory / "MANIFEST.pb");
  const auto not_intact = [&](const char* what) {
    return storage::FileError(storage::damaged, fmt::format("{}: {}", file.path().string(), what));
  };
  Trailer trailer;
  const std::int64_t length = file.bytes() - static_cast<std::int64_t>(sizeof trailer);
  if (length < 0 || length > largest_manifest) throw not_intact("has an impossible size");
  std::string message(length, '\0');
  file.read(std::as_writable_bytes(std::span(message)), 0);
  file.read(std::as_writable_bytes(std::span(&trailer, 1)), length);
  if (trailer.magic != magic_number || trailer.length != length ||
      trailer.hash != storage::checksum(bytes_of(message))) {
    throw not_intact("does not have its checksum");
  }
  Manifest manifest;
  if (!manifest.ParseFromString(message)) throw not_intact("is no manifest");
  if (manifest.min_reader_version() > newest_format) {
    throw storage::FileError(EPROTO, fmt::format("{} has format {}, this scoremle reads up to {}: use a newer one",
                                                 file.path().string(), manifest.format_version(), newest_format));
  }
  return manifest;
}

void set_layout(Manifest& manifest, const Layout& layout) {
  for (const TensorPlace& tensor : layout.tensors) {
    ManifestTensor& entry = *manifest.add_tensors();
    entry.set_name(tensor.name);
    entry.mutable_shape()->Assign(tensor.shape.begin(), tensor.shape.end());
    entry.set_offset(tensor.offset);
    entry.set_count(tensor.count);
  }
  manifest.set_total(layout.total);
}

Layout layout_of(const Manifest& manifest) {
  Layout layout{.tensors = {}, .total = manifest.total()};
  for (const ManifestTensor& tensor : manifest.tensors()) {
    layout.tensors.push_back(
        {tensor.name(), {tensor.shape().begin(), tensor.shape().end()}, tensor.offset(), tensor.count()});
  }
  return layout;
}

void check_coverage(const Manifest& manifest) {
  std::map<std::string, std::vector<Range>> parts;
  for (const ManifestShard& shard : manifest.shards()) {
    for (const ManifestSection& part : shard.sections()) parts[part.name()].push_back({part.begin(), part.end()});
  }
  for (auto& [name, ranges] : parts) {
    std::ranges::sort(ranges, {}, [](const Range& range) { return std::pair(range.begin, range.end); });
    std::int64_t end = 0;
    for (const Range& range : ranges) {
      if (range.begin != end || range.end < range.begin) {
        throw storage::FileError(storage::damaged, fmt::format("section {} is covered up to element {}, then from {}",
                                                               name, end, range.begin));
      }
      end = range.end;
    }
    if (end != manifest.total()) {
      throw storage::FileError(storage::damaged,
                               fmt::format("section {} has {} of {} elements", name, end, manifest.total()));
    }
  }
}

void check_name(const std::filesystem::path& directory, const Manifest& manifest) {
  const std::string name = CheckpointName{manifest.step(), manifest.generation()}.text();
  const auto leaf = directory.has_filename() ? directory.filename() : directory.parent_path().filename();
  if (!leaf.string().ends_with(name)) {
    throw storage::FileError(storage::damaged, fmt::format("{} holds the manifest of {}", directory.string(), name));
  }
}

ShardIdentity identity_of(const Manifest& manifest, const ManifestShard& shard) {
  return {manifest.step(), manifest.generation(), shard.rank(), manifest.shards_size()};
}

void read_sections(const std::filesystem::path& directory, const Manifest& manifest, std::span<const Target> targets) {
  std::int64_t wanted = 0, found = 0;
  for (const Target& target : targets) wanted += std::ssize(target.values);
  for (const ManifestShard& shard : manifest.shards()) {
    std::optional<ShardReader> reader;
    for (const ManifestSection& part : shard.sections()) {
      for (const Target& target : targets) {
        if (target.name != part.name()) continue;
        const std::int64_t begin = std::max(part.begin(), target.begin);
        const std::int64_t end = std::min(part.end(), target.begin + std::ssize(target.values));
        if (begin >= end) continue;
        if (!reader) reader.emplace(directory, identity_of(manifest, shard), shard);
        reader->read(target.values.subspan(begin - target.begin, end - begin),
                     part.offset() + 4 * (begin - part.begin()));
        found += end - begin;
      }
    }
  }
  if (found != wanted) {
    throw storage::FileError(EPROTO,
                             fmt::format("{} holds {} of the {} numbers wanted", directory.string(), found, wanted));
  }
}

void require_same_run(const std::string& checkpoint, const Manifest& manifest, const Layout& layout,
                      const std::string& fixed_config) {
  const std::vector<std::string> theirs = fields_of(manifest.fixed_config());
  std::vector<std::string> ours = fields_of(fixed_config);
  // Weights that were imported come without images: those of the run are the first.
  const auto of_images = [](const std::string& field) { return field.starts_with("data.training."); };
  if (std::ranges::none_of(theirs, of_images)) std::erase_if(ours, of_images);
  const std::vector<std::string> only_theirs = only_in_first(theirs, ours), only_ours = only_in_first(ours, theirs);
  kernels::require(only_theirs.empty() && only_ours.empty(),
                   "Checkpoint {} was made with {}; this run has {}: resume with the checkpoint's config, or choose "
                   "another training.directory",
                   checkpoint, shown(only_theirs), shown(only_ours));
  const std::vector<std::string> their_tensors = tensors_of(layout_of(manifest)), our_tensors = tensors_of(layout);
  const auto [theirs_at, ours_at] = std::ranges::mismatch(their_tensors, our_tensors);
  kernels::require(theirs_at == their_tensors.end() && ours_at == our_tensors.end(),
                   "Checkpoint {} holds another model: its first differing parameter is {}, this run's {}", checkpoint,
                   theirs_at == their_tensors.end() ? "none" : *theirs_at,
                   ours_at == our_tensors.end() ? "none" : *ours_at);
}

}  // namespace distributed
