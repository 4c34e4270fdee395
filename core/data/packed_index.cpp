#include "core/data/packed_index.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/storage/file_io.h"
#include "kernels/check.h"

namespace core::data {
namespace {

namespace fs = std::filesystem;
constexpr int format = 1;
constexpr std::int64_t most_bytes = std::int64_t{1} << 50;
constexpr std::int64_t largest_side = 65500;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

std::int64_t blocks_of(const PackedIndex& index, std::int64_t shard) {
  return ceil_div(shard_bytes(index, shard), index.block_bytes());
}

std::int64_t blocks_before(const PackedIndex& index, std::int64_t shard) {
  return shard == 0 ? 0 : shard * blocks_of(index, 0);  // all but the last have as many
}

/// Every number is one that the others allow: nothing that is read by them can go astray.
bool is_consistent(const PackedIndex& index) {
  const auto side = [](int n) { return n > 0 && n <= largest_side; };
  if (!side(index.height()) || !side(index.width()) || (index.channels() != 1 && index.channels() != 3)) return false;
  if (index.images() < 1 || index.images() > most_bytes / shape_of(index).elements() || index.shard_images() < 1 ||
      index.shard_images() > index.images() || index.block_bytes() < 1 || index.block_bytes() > most_bytes)
    return false;
  const std::int64_t last = shards_of(index) - 1;
  return index.checksums_size() == blocks_before(index, last) + blocks_of(index, last) &&
         index.labels_size() == index.images() &&
         std::ranges::all_of(index.labels(), [&](int label) { return label >= 0 && label < index.classes(); }) &&
         index.skipped() >= 0 && index.fingerprint().size() == 32;
}

}  // namespace

bool is_packed(const fs::path& folder) {
  std::error_code unreadable;  // then it is for whoever reads the folder to say so
  return fs::is_regular_file(folder / "index", unreadable);
}

void write_index(const fs::path& folder, const PackedIndex& index) {
  const std::string text = index.SerializeAsString();
  const auto bytes = std::as_bytes(std::span(text));
  const std::uint64_t hash = storage::checksum(bytes);
  storage::File file = storage::File::create(folder / "index");
  file.write(bytes);
  file.write(std::as_bytes(std::span(&hash, 1)));
  file.sync_and_close();
}

PackedIndex read_index(const fs::path& folder) {
  kernels::require(is_packed(folder),
                   "{}: is no packed set of images (it has no file \"index\"); scoremle data pack makes one",
                   folder.string());
  const std::string name = (folder / "index").string();
  try {
    const storage::File file = storage::File::open(name);
    std::vector<std::byte> bytes(static_cast<std::size_t>(file.bytes()));
    file.read(bytes, 0);
    std::uint64_t hash = 0;
    const std::size_t length = bytes.size() - std::min(bytes.size(), sizeof hash);
    if (length > 0) std::memcpy(&hash, bytes.data() + length, sizeof hash);
    PackedIndex index;
    kernels::require(length > 0 && storage::checksum(std::span(bytes).first(length)) == hash &&
                         index.ParseFromArray(bytes.data(), static_cast<int>(length)),
                     "{}: is damaged (its checksum is another); remove this set and make it again", name);
    kernels::require(index.format() == format,
                     "{}: has format {}; this scoremle reads {}; remove this set and make it again", name,
                     index.format(), format);
    kernels::require(is_consistent(index), "{}: contradicts itself; remove this set and make it again", name);
    return index;
  } catch (const storage::FileError& error) {
    throw kernels::InputError(error.what());
  }
}

ImageShape shape_of(const PackedIndex& index) {
  return {index.height(), index.width(), index.channels()};
}

std::int64_t shards_of(const PackedIndex& index) {
  return ceil_div(index.images(), index.shard_images());
}

fs::path shard_file(const fs::path& folder, std::int64_t shard) {
  return folder / fmt::format("shard-{:05}", shard);
}

std::int64_t shard_bytes(const PackedIndex& index, std::int64_t shard) {
  return std::min(index.shard_images(), index.images() - shard * index.shard_images()) * shape_of(index).elements();
}

void read_blocks(const fs::path& folder, const PackedIndex& index, std::int64_t shard,
                 const std::function<void(std::span<const std::byte>)>& take) {
  const fs::path name = shard_file(folder, shard);
  const std::int64_t bytes = shard_bytes(index, shard);
  try {
    const storage::File file = storage::File::open(name);
    kernels::require(file.bytes() == bytes,
                     "{}: has {} bytes where the index tells {}: it is damaged; remove this set and make it again",
                     name.string(), file.bytes(), bytes);
    std::vector<std::byte> block(static_cast<std::size_t>(std::min(index.block_bytes(), bytes)));
    for (std::int64_t b = 0; b < blocks_of(index, shard); ++b) {
      const std::int64_t offset = b * index.block_bytes();
      const auto part = std::span(block).first(static_cast<std::size_t>(std::min(index.block_bytes(), bytes - offset)));
      file.read(part, offset);
      kernels::require(
          storage::checksum(part) == index.checksums(static_cast<int>(blocks_before(index, shard) + b)),
          "{}: is damaged between bytes {} and {} (its checksum is another); remove this set and make it again",
          name.string(), offset, offset + std::ssize(part));
      take(part);
    }
  } catch (const storage::FileError& error) {
    throw kernels::InputError(fmt::format("{}; remove this set and make it again", error.what()));
  }
}

}  // namespace core::data
