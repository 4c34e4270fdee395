// Pictures for people: PNG files and grids of small images.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace core::picture {

/// 8-bit pixels [height,width,channels], channels 1 (grey) or 3 (RGB).
struct Picture {
  int width = 0, height = 0, channels = 3;
  std::vector<std::uint8_t> pixels;
};

/// The picture as the bytes of a PNG file.
std::string png(const Picture& picture);

/// Throws InputError naming the file and the reason where it cannot be written whole.
void write_png(const std::filesystem::path& file, const Picture& picture);

/// images[count,height,width,channels] side by side, `columns` in a row, with gaps between; each pixel becomes
/// scale x scale pixels.
Picture grid(std::span<const std::uint8_t> images, int height, int width, int channels, int columns, int scale);

/// A scale at which an image of this size can be looked at.
int comfortable_scale(int image_size);

}  // namespace core::picture
