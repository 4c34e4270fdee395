// A packed set on disk: a folder with shards of plain pixels and an index of what they hold, with checksums.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>

#include "core/data/decode.h"
#include "core/data/packed.pb.h"

namespace core::data {

/// Whether the folder holds a packed set.
bool is_packed(const std::filesystem::path& folder);

/// Writes and syncs the index. Throws storage::FileError.
void write_index(const std::filesystem::path& folder, const PackedIndex& index);

/// Throws InputError naming the file and what is wrong with it: no packed set, damaged, of a newer format.
PackedIndex read_index(const std::filesystem::path& folder);

ImageShape shape_of(const PackedIndex& index);

std::int64_t shards_of(const PackedIndex& index);
std::filesystem::path shard_file(const std::filesystem::path& folder, std::int64_t shard);
std::int64_t shard_bytes(const PackedIndex& index, std::int64_t shard);

/// Reads every block of the shard and hands it to `take`, in order. Throws InputError naming the file and the byte: a
/// shard that is missing, truncated, or has a block whose checksum is another.
void read_blocks(const std::filesystem::path& folder, const PackedIndex& index, std::int64_t shard,
                 const std::function<void(std::span<const std::byte>)>& take);

}  // namespace core::data
