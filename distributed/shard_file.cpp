#include "distributed/shard_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace distributed {
namespace {

namespace storage = core::storage;

static_assert(std::endian::native == std::endian::little, "shard files hold the memory's bytes as they are");

constexpr std::int64_t page_bytes = 4096;
constexpr std::int64_t block_bytes = std::int64_t{4} << 20;
constexpr std::array<char, 8> magic_number{'s', 'c', 'o', 'r', 's', 'h', 'r', 'd'};

struct Header {
  std::array<char, 8> magic = magic_number;
  std::int64_t version = 1;
  ShardIdentity identity{};
  std::int64_t payload_bytes = 0;
};
static_assert(sizeof(Header) == 48, "the header has no padding");

struct Trailer {
  std::int64_t payload_bytes = 0, blocks = 0;
  std::uint64_t table_checksum = 0;
  std::array<char, 8> magic = magic_number;
};

std::int64_t round_up(std::int64_t bytes) {
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}
std::int64_t blocks_of(std::int64_t payload_bytes) {
  return (payload_bytes + block_bytes - 1) / block_bytes;
}

using Page = std::array<std::byte, page_bytes>;
constexpr std::int64_t hashed_bytes = page_bytes - static_cast<std::int64_t>(sizeof(std::uint64_t));

Page header_page(const Header& header) {
  Page page{};
  std::memcpy(page.data(), &header, sizeof header);
  const std::uint64_t hash = storage::checksum(std::span(page).first(hashed_bytes));
  std::memcpy(page.data() + hashed_bytes, &hash, sizeof hash);
  return page;
}

// Collects the payload into blocks, and hashes each from memory before it is written.
class BlockWriter {
 public:
  explicit BlockWriter(storage::File& file) : file_(file) { block_.reserve(block_bytes); }

  void append(std::span<const std::byte> data) {
    while (!data.empty()) {
      const std::size_t count = std::min(data.size(), block_bytes - block_.size());
      block_.insert(block_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
      data = data.subspan(count);
      if (std::ssize(block_) == block_bytes) flush();
    }
  }
  void pad() {
    block_.resize(round_up(std::ssize(block_)));
    if (std::ssize(block_) == block_bytes) flush();
  }
  void flush() {
    if (block_.empty()) return;
    table_.push_back(storage::checksum(block_));
    file_.write(block_);
    block_.clear();
  }
  std::span<const std::uint64_t> table() const { return table_; }

 private:
  storage::File& file_;
  std::vector<std::byte> block_;
  std::vector<std::uint64_t> table_;
};

}  // namespace

std::string shard_name(int rank, int world) {
  return fmt::format("shard_{:05}_of_{:05}.bin", rank, world);
}

ManifestShard write_shard(const std::filesystem::path& directory, const ShardIdentity& identity,
                          std::span<const Section> sections) {
  ManifestShard entry;
  entry.set_file(shard_name(identity.rank, identity.world));
  entry.set_rank(identity.rank);
  std::int64_t end = page_bytes;
  for (const Section& section : sections) {
    ManifestSection& part = *entry.add_sections();
    part.set_name(section.name);
    part.set_begin(section.begin);
    part.set_end(section.begin + std::ssize(section.values));
    part.set_offset(end);
    end += round_up(static_cast<std::int64_t>(section.values.size_bytes()));
  }
  const std::int64_t payload_bytes = end - page_bytes;

  storage::File file = storage::File::create(directory / entry.file());
  file.write(header_page({.identity = identity, .payload_bytes = payload_bytes}));
  BlockWriter writer(file);
  for (const Section& section : sections) {
    writer.append(std::as_bytes(section.values));
    writer.pad();
  }
  writer.flush();
  const auto table = std::as_bytes(writer.table());
  const Trailer trailer{
      .payload_bytes = payload_bytes, .blocks = std::ssize(writer.table()), .table_checksum = storage::checksum(table)};
  file.write(table);
  file.write(std::as_bytes(std::span(&trailer, 1)));
  file.sync_and_close();
  entry.set_table_checksum(trailer.table_checksum);
  entry.set_bytes(end + static_cast<std::int64_t>(table.size() + sizeof trailer));
  return entry;
}

ShardReader::ShardReader(const std::filesystem::path& directory, const ShardIdentity& identity,
                         const ManifestShard& entry)
    : file_(storage::File::open(directory / entry.file())) {
  const auto demand = [&](bool holds, const std::string& what) {
    if (!holds) throw storage::FileError(storage::damaged, fmt::format("{}: {}", file_.path().string(), what));
  };
  const std::int64_t bytes = file_.bytes();
  demand(bytes == entry.bytes(), fmt::format("has {} bytes instead of {}", bytes, entry.bytes()));

  Page page{};
  file_.read(page, 0);
  Header header;
  std::memcpy(&header, page.data(), sizeof header);
  demand(page == header_page(header) && header.magic == magic_number && header.version == 1, "the header is damaged");
  demand(header.identity == identity,
         fmt::format("is rank {} of {} of step {}, generation {}: the file of another checkpoint", header.identity.rank,
                     header.identity.world, header.identity.step, header.identity.generation));
  payload_bytes_ = header.payload_bytes;

  Trailer trailer;
  table_.resize(blocks_of(payload_bytes_));
  const auto table = std::as_writable_bytes(std::span(table_));
  demand(bytes == page_bytes + payload_bytes_ + static_cast<std::int64_t>(table.size() + sizeof trailer),
         "the header and the size disagree");
  file_.read(table, page_bytes + payload_bytes_);
  file_.read(std::as_writable_bytes(std::span(&trailer, 1)), bytes - static_cast<std::int64_t>(sizeof trailer));
  demand(trailer.magic == magic_number && trailer.payload_bytes == payload_bytes_ &&
             trailer.blocks == std::ssize(table_) && trailer.table_checksum == storage::checksum(table) &&
             trailer.table_checksum == entry.table_checksum(),
         "the table of checksums is damaged or of another checkpoint");
}

std::span<const std::byte> ShardReader::block(std::int64_t index) {
  if (index == buffered_) return buffer_;
  buffered_ = -1;
  buffer_.resize(std::min(block_bytes, payload_bytes_ - index * block_bytes));
  file_.read(buffer_, page_bytes + index * block_bytes);
  const std::uint64_t found = storage::checksum(buffer_);
  if (found != table_.at(index)) {
    throw storage::FileError(storage::damaged,
                             fmt::format("{}: block {} (bytes {} to {}) has checksum {:016x} instead of {:016x}",
                                         file_.path().string(), index, page_bytes + index * block_bytes,
                                         page_bytes + index * block_bytes + std::ssize(buffer_), found, table_[index]));
  }
  buffered_ = index;
  return buffer_;
}

void ShardReader::read(std::span<float> values, std::int64_t offset) {
  auto left = std::as_writable_bytes(values);
  std::int64_t position = offset - page_bytes;
  while (!left.empty()) {
    const std::span<const std::byte> whole = block(position / block_bytes);
    const auto part = whole.subspan(position % block_bytes);
    const std::size_t count = std::min(part.size(), left.size());
    std::ranges::copy(part.first(count), left.begin());
    left = left.subspan(count);
    position += static_cast<std::int64_t>(count);
  }
}

void ShardReader::verify() {
  for (std::int64_t index = 0; index < std::ssize(table_); ++index) block(index);
}

}  // namespace distributed
