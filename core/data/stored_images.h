// Images of files: read in parallel and fitted to one size, and a set of them that is kept in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "core/data/decode.h"
#include "core/data/image_files.h"

namespace core::data {

/// What is known of a set of images besides their pixels.
struct Facts {
  std::int64_t images = 0;
  std::int32_t classes = 1;
  std::vector<std::string> class_names;  // of each; none where the files give numbers
  std::int64_t skipped = 0;
  std::string first_skipped;  // why the first of them was
  bool altered = false;       // some were cropped, averaged down, or changed in colour
};

/// Takes the next images in their order: pixels[n,h,w,c] and labels[n].
using Sink = std::function<void(std::span<const std::uint8_t> pixels, std::span<const std::int32_t> labels)>;
using Progress = std::function<void(std::int64_t done, std::int64_t of)>;

/// Reads the images, fits them to the config's size and channels, and hands them to `sink`, some thousands at a time.
/// Throws InputError as core::data::open says.
Facts read_images(Found found, const config::Data& data, const Sink& sink, const Progress& progress);

struct StoredImages {
  Facts facts;
  std::vector<std::int32_t> labels;
  std::shared_ptr<const std::vector<std::uint8_t>> pixels;  // [images,h,w,c]

  void read(std::int64_t index, std::span<std::uint8_t> out) const;
};

/// Reads every image of the paths. Throws InputError as core::data::open says.
StoredImages store_images(const config::Data& data, const config::Files& files);

}  // namespace core::data
