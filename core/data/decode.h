// From the bytes of an image file to 8-bit pixels, and from any size and colour to the wanted one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace core::data {

struct ImageShape {
  int height = 0, width = 0, channels = 0;
  std::int64_t elements() const { return std::int64_t{height} * width * channels; }
  bool operator==(const ImageShape&) const = default;
};

/// Pixels [h,w,c], c = 1 or 3.
struct Image {
  ImageShape shape;
  std::vector<std::uint8_t> pixels;
};

/// A file that is no whole image; the text says why.
struct BadImage {
  std::string reason;
};

/// Decodes a PNG or JPEG by its first bytes, to RGB or, where it is grey, to one channel. Throws BadImage for anything
/// else, for a damaged or truncated image, and for one with transparency.
Image decode(std::span<const std::uint8_t> bytes);

/// Centre crop to a square, average over areas down to size x size (a box filter with fractional weights at the
/// borders, rounded half up), grey from colour by Rec. 601 luma or colour from grey by repetition. Throws BadImage for
/// an image smaller than size.
std::vector<std::uint8_t> fit(const Image& image, int size, int channels);

}  // namespace core::data
