// Arrays of numbers as files begin: IDX (MNIST) and NumPy's .npy.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/data/image_files.h"

namespace core::data {

/// What the head of a file says of the array behind it.
struct ArrayHead {
  std::string type;                  // NumPy's name, as "|u1" for 8-bit unsigned
  std::vector<std::int64_t> extent;  // of each dimension, the last one changing fastest
  std::int64_t offset = 0;           // of the first element in the file
  std::int64_t elements() const;
  std::int64_t bytes() const;  // of all elements; 0 where their size is not known
};

/// Bytes of a file that are enough for a head.
constexpr std::size_t largest_head = 10'012;  // NumPy reads no more than 10,000 of its text

/// Both throw BadImage (decode.h) saying what is wrong with the head.
ArrayHead parse_idx(std::span<const std::uint8_t> file);
ArrayHead parse_npy(std::span<const std::uint8_t> file);

/// The images that an array holds where its extents alone tell: [n,h,w], [n,h,w,c] or [n,c,h,w] with c = 1 or 3, or
/// [n, s*s] (grey). Throws BadImage where they do not.
struct ImageArray {
  std::int64_t images;
  ImageShape shape;
  Coding coding;
};
ImageArray images_of(const ArrayHead& head);

/// Whole numbers of any type, little-endian. Throws BadImage for another type and for one that is no 31-bit label.
std::vector<std::int32_t> labels_of(const ArrayHead& head, std::span<const std::uint8_t> file);

}  // namespace core::data
