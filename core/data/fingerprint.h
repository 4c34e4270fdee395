// The name of a set of images by what is in it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "core/data/decode.h"

namespace core::data {

/// XXH3-128, 32 hexadecimal digits, of the number of images, their shape, and the pixels of the first `hashed`;
/// `read` gives image i.
std::string fingerprint(std::int64_t images, const ImageShape& shape, std::int64_t hashed,
                        const std::function<void(std::int64_t i, std::span<std::uint8_t> pixels)>& read);

}  // namespace core::data
