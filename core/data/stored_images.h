// Images of folders, tars and CIFAR-10 files, decoded once and kept.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "core/data/decode.h"

namespace core::data {

struct StoredImages {
  std::int64_t images = 0;
  std::shared_ptr<const std::vector<std::uint8_t>> pixels;  // [images,h,w,c]
  std::vector<std::int32_t> labels;
  std::int32_t classes = 0;
  std::int64_t skipped = 0;
  std::string first_skipped;  // why the first of them was

  void read(std::int64_t index, std::span<std::uint8_t> out) const;
};

/// Reads every image of the paths (their order; inside a folder by path; inside a tar as they lie) and fits it to the
/// config's size and channels. Throws InputError as core::data::open says.
StoredImages read_images(const config::Data& data, const config::Files& files);

}  // namespace core::data
