// Files of equal, uncompressed images: CIFAR binaries, MNIST's IDX, .npy and .npz.
#pragma once

#include <filesystem>
#include <vector>

#include "core/data/image_files.h"

namespace core::data {

/// The records of a file that is_record_file, with their labels. Throws InputError for a file that is damaged,
/// truncated, or does not tell what its images are.
std::vector<ImageFile> record_images(const std::filesystem::path& file);

/// By the name: .bin, .npy, .npz, or with "idx" and "ubyte" in it, as MNIST's files have.
bool is_record_file(const std::filesystem::path& file);

}  // namespace core::data
