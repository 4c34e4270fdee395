#include "core/picture/png.h"

#include <spng.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "kernels/check.h"

namespace core::picture {

std::string png(const Picture& picture) {
  const std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> context(spng_ctx_new(SPNG_CTX_ENCODER), &spng_ctx_free);
  spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(picture.width);
  header.height = static_cast<std::uint32_t>(picture.height);
  header.bit_depth = 8;
  header.color_type = picture.channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR;
  spng_set_ihdr(context.get(), &header);
  int error = spng_encode_image(context.get(), picture.pixels.data(), picture.pixels.size(), SPNG_FMT_PNG,
                                SPNG_ENCODE_FINALIZE);
  std::size_t bytes = 0;
  const std::unique_ptr<void, decltype(&std::free)> buffer(
      error ? nullptr : spng_get_png_buffer(context.get(), &bytes, &error), &std::free);
  kernels::ensure(error == 0, "a picture can be encoded");
  return {static_cast<const char*>(buffer.get()), bytes};
}

void write_png(const std::filesystem::path& file, const Picture& picture) {
  const std::string bytes = png(picture);
  errno = 0;
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), std::ssize(bytes)).flush();
  kernels::require(out.good(), "{}: cannot be written: {}", file.string(), std::strerror(errno));
}

Picture grid(std::span<const std::uint8_t> images, int height, int width, int channels, int columns, int scale) {
  const int count = static_cast<int>(images.size() / static_cast<std::size_t>(height * width * channels));
  columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns, gap = std::max(1, scale);
  Picture picture{.width = gap + columns * (width * scale + gap),
                  .height = gap + rows * (height * scale + gap),
                  .channels = channels,
                  .pixels = {}};
  picture.pixels.assign(static_cast<std::size_t>(picture.width) * picture.height * channels, 255);
  for (int i = 0; i < count; ++i) {
    const int top = gap + i / columns * (height * scale + gap), left = gap + i % columns * (width * scale + gap);
    for (int y = 0; y < height * scale; ++y) {
      for (int x = 0; x < width * scale; ++x) {
        const std::uint8_t* from =
            &images[static_cast<std::size_t>(((i * height + y / scale) * width + x / scale) * channels)];
        std::copy(from, from + channels,
                  &picture.pixels[(static_cast<std::size_t>(top + y) * picture.width + left + x) * channels]);
      }
    }
  }
  return picture;
}

int comfortable_scale(int image_size) {
  return std::clamp(96 / image_size, 1, 6);
}

}  // namespace core::picture
