#include "core/data/decode.h"

#include <spng.h>

#include <cstdio>
// jpeglib.h needs what cstdio declares.
#include <jpeglib.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "kernels/check.h"

namespace core::data {
namespace {

constexpr std::uint32_t largest_side = 65500;
constexpr std::int64_t most_pixels = std::int64_t{1} << 27;

/// A few bytes of a file can claim any size: what no photograph has is not given memory.
void require_plausible(std::int64_t width, std::int64_t height) {
  if (width * height > most_pixels)
    throw BadImage{fmt::format("is {}x{}, more than {} pixels: make it smaller first", width, height, most_pixels)};
}

Image decode_png(std::span<const std::uint8_t> bytes) {
  const auto check = [](int error) {
    if (error) throw BadImage{fmt::format("is a damaged PNG ({})", spng_strerror(error))};
  };
  const std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> context(spng_ctx_new(0), &spng_ctx_free);
  check(spng_set_image_limits(context.get(), largest_side, largest_side));
  check(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()));
  spng_ihdr header;
  check(spng_get_ihdr(context.get(), &header));
  require_plausible(header.width, header.height);
  spng_trns transparency;
  if ((header.color_type & SPNG_COLOR_TYPE_GRAYSCALE_ALPHA) == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
      spng_get_trns(context.get(), &transparency) == 0) {
    throw BadImage{"has transparency; flatten it first"};
  }
  const bool grey = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && header.bit_depth <= 8;
  const auto format = grey ? SPNG_FMT_G8 : SPNG_FMT_RGB8;
  std::size_t size = 0;
  check(spng_decoded_image_size(context.get(), format, &size));
  Image image{{static_cast<int>(header.height), static_cast<int>(header.width), grey ? 1 : 3},
              std::vector<std::uint8_t>(size)};
  check(spng_decode_image(context.get(), image.pixels.data(), size, format, 0));
  return image;
}

/// libjpeg reports through these; a warning ("premature end of JPEG file") is as bad as an error.
[[noreturn]] void jpeg_error(j_common_ptr info) {
  char text[JMSG_LENGTH_MAX];
  (*info->err->format_message)(info, text);
  throw BadImage{fmt::format("is a damaged JPEG ({})", text)};
}
void jpeg_message(j_common_ptr info, int level) {
  if (level < 0) jpeg_error(info);
}

Image decode_jpeg(std::span<const std::uint8_t> bytes) {
  jpeg_error_mgr errors;
  jpeg_decompress_struct info;
  info.err = jpeg_std_error(&errors);
  errors.error_exit = jpeg_error;
  errors.emit_message = jpeg_message;
  jpeg_create_decompress(&info);
  const std::unique_ptr<jpeg_decompress_struct, decltype(&jpeg_destroy_decompress)> guard(&info,
                                                                                          &jpeg_destroy_decompress);
  jpeg_mem_src(&info, bytes.data(), bytes.size());
  jpeg_read_header(&info, TRUE);
  require_plausible(info.image_width, info.image_height);
  if (info.num_components == 4) throw BadImage{"is a CMYK JPEG; convert it to RGB first"};
  info.out_color_space = info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&info);
  Image image{
      {static_cast<int>(info.output_height), static_cast<int>(info.output_width), info.num_components == 1 ? 1 : 3},
      {}};
  image.pixels.resize(static_cast<std::size_t>(image.shape.elements()));
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = image.pixels.data() + static_cast<std::size_t>(info.output_scanline) *
                                             static_cast<std::size_t>(image.shape.width * image.shape.channels);
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  return image;
}

/// The part of source pixel `i` that lies in [begin, end).
double covered(int i, double begin, double end) {
  return std::min(i + 1.0, end) - std::max(static_cast<double>(i), begin);
}

}  // namespace

Image decode(std::span<const std::uint8_t> bytes) {
  const auto starts = [&](std::initializer_list<std::uint8_t> magic) {
    return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
  };
  if (bytes.empty()) throw BadImage{"is empty"};
  if (starts({0x89, 'P', 'N', 'G'})) return decode_png(bytes);
  if (starts({0xff, 0xd8, 0xff})) return decode_jpeg(bytes);
  throw BadImage{"is neither PNG nor JPEG"};
}

std::vector<std::uint8_t> fit(const Image& image, int size, int channels) {
  const int side = std::min(image.shape.height, image.shape.width), from = image.shape.channels;
  if (side < size)
    throw BadImage{
        fmt::format("is {}x{}, smaller than data.image_size {}", image.shape.width, image.shape.height, size)};
  if (image.shape == ImageShape{size, size, channels}) return image.pixels;
  const int top = (image.shape.height - side) / 2, left = (image.shape.width - side) / 2;
  const double ratio = static_cast<double>(side) / size;
  std::vector<std::uint8_t> out;
  out.reserve(static_cast<std::size_t>(size * size * channels));
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      double sum[3] = {};
      const double y0 = y * ratio, y1 = (y + 1) * ratio, x0 = x * ratio, x1 = (x + 1) * ratio;
      for (int sy = static_cast<int>(y0); sy < y1 && sy < side; ++sy) {
        for (int sx = static_cast<int>(x0); sx < x1 && sx < side; ++sx) {
          const double weight = covered(sy, y0, y1) * covered(sx, x0, x1);
          const std::uint8_t* pixel =
              &image.pixels[(static_cast<std::size_t>(top + sy) * static_cast<std::size_t>(image.shape.width) +
                             static_cast<std::size_t>(left + sx)) *
                            static_cast<std::size_t>(from)];
          for (int c = 0; c < from; ++c) sum[c] += weight * pixel[c];
        }
      }
      for (double& value : sum) value /= ratio * ratio;
      if (from == 1) sum[1] = sum[2] = sum[0];
      if (channels == 1 && from == 3) sum[0] = 0.299 * sum[0] + 0.587 * sum[1] + 0.114 * sum[2];
      for (int c = 0; c < channels; ++c)
        out.push_back(static_cast<std::uint8_t>(std::min(255.0, std::floor(sum[c] + 0.5 + 1e-9))));
    }
  }
  return out;
}

}  // namespace core::data
