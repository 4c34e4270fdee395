// One rank's file of a checkpoint: a header page, sections of floats, and a checksum of every block.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/storage/file_io.h"
#include "distributed/checkpoint.pb.h"
#include "distributed/sections.h"

namespace distributed {

/// Which file of which checkpoint this is: stands in the header, so that a file in the wrong place is noticed.
struct ShardIdentity {
  std::int64_t step, generation;
  std::int32_t rank, world;
  bool operator==(const ShardIdentity&) const = default;
};

/// "shard_00001_of_00004.bin"
std::string shard_name(int rank, int world);

/// Writes and syncs directory/shard_name(); returns its entry of the manifest. The layout of the file, little-endian:
/// a page of 4096 bytes (magic, version, identity, bytes of payload, XXH3-64 of the page); the payload, each section
/// beginning at a multiple of 4096; the XXH3-64 of every 4 MiB of payload; bytes of payload, number of blocks, XXH3-64
/// of the table, magic. Checksums are of the numbers in memory: what the disk loses is noticed. Throws FileError.
ManifestShard write_shard(const std::filesystem::path& directory, const ShardIdentity& identity,
                          std::span<const Section> sections);

/// Reads any part of a shard file and verifies every block it touches.
class ShardReader {
 public:
  /// Verifies size, header and table against the manifest. Throws FileError, damaged where they differ.
  ShardReader(const std::filesystem::path& directory, const ShardIdentity& identity, const ManifestShard& entry);

  /// Fills `values` from byte `offset` of the file. Throws FileError.
  void read(std::span<float> values, std::int64_t offset);
  /// Verifies the whole file.
  void verify();

 private:
  std::span<const std::byte> block(std::int64_t index);

  core::storage::File file_;
  std::int64_t payload_bytes_ = 0;
  std::vector<std::uint64_t> table_;
  std::vector<std::byte> buffer_;
  std::int64_t buffered_ = -1;  // the block in buffer_
};

}  // namespace distributed
