// Images as a NumPy archive: numpy.load("samples.npz")["images"].
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>

namespace core::picture {

/// images[count,height,width,channels] as the array `images` of an uncompressed .npz. Throws InputError naming the file
/// and the reason where it cannot be written whole.
void write_npz(const std::filesystem::path& file, std::span<const std::uint8_t> images,
               const std::array<std::int64_t, 4>& shape);

}  // namespace core::picture
