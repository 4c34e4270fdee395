// Writing packed sets of images, and copying them to a disk of this node.
#pragma once

#include <filesystem>

#include "core/config/run.pb.h"
#include "core/data/stored_images.h"

namespace core::data {

/// Reads the images as store_images does, but keeps only some thousands in memory, and writes them as a packed set to
/// `folder`, which must not exist: shards of about `largest_shard` bytes. The folder appears when it is whole and on
/// the disk. Throws InputError as core::data::open says, and where it cannot be written; nothing is left then.
Facts pack(const config::Data& data, const config::Files& files, const std::filesystem::path& folder,
           std::int64_t largest_shard, const Progress& progress);

/// A copy of the packed set inside `folder`, checked block by block as it is made; one that is there already, or that
/// another job makes at the same time, is taken. `progress` counts shards and may be empty. Throws InputError for a
/// damaged set and for a disk that is full.
std::filesystem::path stage(const std::filesystem::path& packed, const std::filesystem::path& folder,
                            const Progress& progress);

}  // namespace core::data
