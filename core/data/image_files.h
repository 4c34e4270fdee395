// Finding the images in folders, tars and CIFAR-10 files, and their bytes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/config/run.pb.h"

namespace core::data {

/// Where the bytes of one image lie.
struct ImageFile {
  std::filesystem::path file;
  std::string member;  // of a tar: the name inside it; empty: the whole file or a record
  std::int64_t offset = 0, bytes = 0;
  std::string label;   // name of the containing folder, or a CIFAR-10 label
  bool cifar = false;  // a record of 1 label byte and 3072 planar RGB bytes

  /// "photos/a.png", "shard.tar: cats/a.png at byte 512", "data_batch_1.bin: record at byte 3073".
  std::string name() const;
};

/// Every image of the paths. Throws InputError for a path that is not there or holds no image, and for a tar that is
/// damaged, truncated or compressed.
std::vector<ImageFile> find_images(const config::Files& files);

/// The image's bytes. Throws BadImage (decode.h) where they cannot be read whole.
std::vector<std::uint8_t> read_bytes(const ImageFile& image);

}  // namespace core::data
