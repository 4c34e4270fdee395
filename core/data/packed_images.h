// A packed set of images, mapped into memory: nothing is decoded, and the ranks of a node share one copy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/data/packed_index.h"
#include "core/data/stored_images.h"

namespace core::data {

/// A file's bytes, as long as this lives.
class MappedFile {
 public:
  /// Throws InputError where the file cannot be mapped or has not `bytes` bytes.
  MappedFile(const std::filesystem::path& file, std::int64_t bytes);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  const std::uint8_t* data() const { return data_; }

 private:
  const std::uint8_t* data_;
  std::size_t bytes_;
};

struct PackedImages {
  Facts facts;
  std::vector<std::int32_t> labels;
  std::string fingerprint;
  std::int64_t shard_images = 0;
  std::vector<std::shared_ptr<const MappedFile>> shards;

  void read(std::int64_t index, std::span<std::uint8_t> out) const;
};

/// The set that the index describes, not checked.
PackedImages map_shards(const std::filesystem::path& folder, const PackedIndex& index);

/// Checks every block of the set in `folder`. Throws InputError naming the file, and the byte where it is damaged, and
/// for images of another shape.
PackedImages open_packed(const std::filesystem::path& folder, const ImageShape& shape);

}  // namespace core::data
