#include "core/data/pack.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <random>

#include "core/data/fingerprint.h"
#include "core/data/packed_images.h"
#include "core/data/packed_index.h"
#include "core/storage/file_io.h"
#include "kernels/check.h"

namespace core::data {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t block_bytes = 1 << 20;

/// Removes a folder that was not finished; a finished one was renamed, and there is nothing to remove.
struct Unfinished {
  fs::path folder;
  ~Unfinished() {
    std::error_code none;
    fs::remove_all(folder, none);
  }
};

/// Makes `folder` by `write`, in another folder that is renamed at the end. Where that fails nothing is left.
void write_folder(const fs::path& folder, const std::function<void(const fs::path&)>& write) {
  std::random_device random;  // two jobs may make the same folder
  const fs::path path = fmt::format("{}.unfinished-{:08x}{:08x}", folder.string(), random(), random());
  try {
    storage::make_directory(path);
    const Unfinished unfinished{path};
    write(path);
    storage::sync_directory(path);
    storage::rename_directory(path, folder);
    storage::sync_directory(folder.has_parent_path() ? folder.parent_path() : ".");
  } catch (const storage::FileError& error) {
    throw kernels::InputError(fmt::format("{}; {}", error.what(),
                                          error.code == ENOSPC || error.code == EDQUOT
                                              ? "free some space, or name another disk"
                                              : "name a folder that can be written"));
  }
}

/// Cuts a stream of images into shards, and the bytes of a shard into blocks with checksums.
class ShardWriter {
 public:
  ShardWriter(fs::path folder, PackedIndex& index) : folder_(std::move(folder)), index_(index) {}

  void write(std::span<const std::byte> bytes) {
    const std::int64_t shard_bytes = index_.shard_images() * shape_of(index_).elements();
    while (!bytes.empty()) {
      if (!file_) file_.emplace(storage::File::create(shard_file(folder_, shard_++)));
      const std::int64_t in_block = std::min(block_bytes - std::ssize(block_), shard_bytes - written_);
      const auto part = bytes.first(static_cast<std::size_t>(std::min(std::ssize(bytes), in_block)));
      block_.insert(block_.end(), part.begin(), part.end());
      bytes = bytes.subspan(part.size());
      written_ += std::ssize(part);
      if (std::ssize(block_) == block_bytes) finish_block();
      if (written_ == shard_bytes) finish_shard();
    }
  }
  void finish_shard() {
    if (!file_) return;
    if (!block_.empty()) finish_block();
    file_->sync_and_close();
    file_.reset();
    written_ = 0;
  }

 private:
  void finish_block() {
    file_->write(block_);
    index_.add_checksums(storage::checksum(block_));
    block_.clear();
  }

  fs::path folder_;
  PackedIndex& index_;
  std::optional<storage::File> file_;
  std::vector<std::byte> block_;
  std::int64_t shard_ = 0, written_ = 0;  // of the open shard
};

}  // namespace

Facts pack(const config::Data& data, const config::Files& files, const fs::path& folder, std::int64_t largest_shard,
           const Progress& progress) {
  kernels::require(folder.has_filename(), "{}: name the folder to make, without a / at its end", folder.string());
  kernels::require(!fs::exists(folder), "{}: is there already; remove it, or name another folder", folder.string());
  Found found = find_images(files);
  PackedIndex index;
  index.set_format(1);
  index.set_height(data.image_size());
  index.set_width(data.image_size());
  index.set_channels(data.channels());
  index.set_block_bytes(block_bytes);
  index.set_shard_images(
      std::clamp(largest_shard / shape_of(index).elements(), std::int64_t{1}, std::ssize(found.images)));
  Facts facts;
  write_folder(folder, [&](const fs::path& unfinished) {
    ShardWriter shards(unfinished, index);
    const auto sink = [&](std::span<const std::uint8_t> pixels, std::span<const std::int32_t> labels) {
      shards.write(std::as_bytes(pixels));
      index.mutable_labels()->Add(labels.begin(), labels.end());
    };
    facts = read_images(std::move(found), data, sink, progress);
    shards.finish_shard();
    index.set_images(facts.images);
    index.set_shard_images(std::min(index.shard_images(), facts.images));
    index.set_classes(facts.classes);
    index.mutable_class_names()->Assign(facts.class_names.begin(), facts.class_names.end());
    index.set_skipped(facts.skipped);
    index.set_first_skipped(facts.first_skipped);
    index.set_altered(facts.altered);
    // Read back: what was written is what is named.
    const PackedImages written = map_shards(unfinished, index);
    index.set_fingerprint(fingerprint(facts.images, shape_of(index), facts.images,
                                      [&](std::int64_t i, std::span<std::uint8_t> out) { written.read(i, out); }));
    write_index(unfinished, index);
  });
  return facts;
}

fs::path stage(const fs::path& packed, const fs::path& folder, const Progress& progress) {
  const PackedIndex index = read_index(packed);
  // The index says all about the set: the fingerprint is of the pixels alone.
  const std::string whole = index.SerializeAsString();
  const fs::path copy =
      folder / fmt::format("scoremle-{:016x}", storage::checksum(std::as_bytes(std::span(whole.data(), whole.size()))));
  if (is_packed(copy)) return copy;
  const std::int64_t shards = shards_of(index);
  try {
    write_folder(copy, [&](const fs::path& unfinished) {
      for (std::int64_t shard = 0; shard < shards; ++shard) {
        storage::File file = storage::File::create(shard_file(unfinished, shard));
        read_blocks(packed, index, shard, [&](std::span<const std::byte> block) { file.write(block); });
        file.sync_and_close();
        if (progress) progress(shard + 1, shards);
      }
      write_index(unfinished, index);
    });
  } catch (const kernels::InputError&) {
    if (!is_packed(copy)) throw;  // else another job has made it meanwhile
  }
  return copy;
}

}  // namespace core::data
