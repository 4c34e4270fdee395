// Pixels of images as the rows of a matrix product, and sums over the pixels of an image in a fixed order; for kernels
// only.
#pragma once

#include "kernels/divisor.h"
#include "kernels/gpu_array.h"
#include "kernels/gpu_sums.h"
#include "kernels/scratch.h"

namespace kernels::BACKEND {

__device__ __forceinline__ bool is_within(int coordinate, int extent) {
  return static_cast<unsigned>(coordinate) < static_cast<unsigned>(extent);
}

struct Pixel {
  int image, y, x;  // image < 0: none
  __device__ explicit operator bool() const { return image >= 0; }
};

/// The pixels of n images [h,w] as rows, in blocks that hold either a part of one image or some images whole. The rows
/// of a block that no pixel is left for are empty.
struct PixelRows {
  int n, h;
  Divisor w, image_pixels;
  Divisor block;  // rows of one
  int images_of_block;
  Divisor blocks_of_image;

  PixelRows(int images, int height, int width, int block_rows)
      : n(images),
        h(height),
        w(width),
        image_pixels(height * width),
        block(block_rows),
        images_of_block(std::max(block_rows / pixels(), 1)),
        blocks_of_image((pixels() + block_rows - 1) / block_rows) {}
  PORTABLE int pixels() const { return image_pixels.value; }
  /// Whether a block holds a part of an image.
  PORTABLE bool are_cut() const { return blocks_of_image.value > 1; }
  int rows() const { return (n + images_of_block - 1) / images_of_block * blocks_of_image.value * block.value; }

  __device__ Pixel at(int row) const {
    const int of_block = block.remainder(row), which = block.quotient(row);
    const int of_image = are_cut() ? 0 : image_pixels.quotient(of_block);
    const int image = are_cut() ? blocks_of_image.quotient(which) : which * images_of_block + of_image;
    const int pixel = are_cut() ? blocks_of_image.remainder(which) * block.value + of_block
                                : of_block - of_image * image_pixels.value;
    if (image >= n || pixel >= pixels() || of_image >= images_of_block) return {-1, 0, 0};
    return {image, w.quotient(pixel), w.remainder(pixel)};
  }

  // Sums over an image are the sums over its parts, in their order: what its blocks have of it, or the image.
  PORTABLE int part_rows() const { return are_cut() ? block.value : pixels(); }
  PORTABLE int parts_of_image() const { return blocks_of_image.value; }
  PORTABLE int parts_of_block() const { return images_of_block; }
  /// Pixels of a part of an image, at least one.
  PORTABLE int pixels_of_part(int part) const {
    const int left = pixels() - part * part_rows();
    return left < part_rows() ? left : part_rows();
  }
};

/// The same one after the other, with no empty rows.
struct PixelsInOrder {
  int count;
  Divisor w, image_pixels;
  PixelsInOrder(int images, int height, int width)
      : count(images * height * width), w(width), image_pixels(height * width) {}

  int rows() const { return count; }
  __device__ Pixel at(int row) const {
    const int image = image_pixels.quotient(row), pixel = row - image * image_pixels.value, y = w.quotient(pixel);
    return {row < count ? image : -1, y, pixel - y * w.value};
  }
};

/// Which pixels of y a product makes of the pixels (y, x) that are its rows: themselves, or (2y + a, 2x + b) in four
/// batches, one for each a and b of 0 and 1.
struct Phases {
  int across = 1;  // or 2
  PORTABLE int count() const { return across * across; }
  __device__ int number() const { return across == 1 ? 0 : static_cast<int>(blockIdx.z); }
  __device__ int a() const { return number() / 2; }
  __device__ int b() const { return number() % 2; }
  __device__ Pixel of(const Pixel& at) const { return {at.image, at.y * across + a(), at.x * across + b()}; }
};

/// A part of an image within a block that begins at `row`.
struct Part {
  int image, part, first_row, rows;
};
__device__ __forceinline__ Part part_of_block(const PixelRows& rows, int row, int i) {
  const int block = rows.block.quotient(row);
  if (rows.are_cut()) {
    const int part = rows.blocks_of_image.remainder(block);
    return {rows.blocks_of_image.quotient(block), part, 0, rows.pixels_of_part(part)};
  }
  const int image = block * rows.images_of_block + i;
  return {image, 0, i * rows.pixels(), image < rows.n ? rows.pixels() : 0};
}

/// What a kernel leaves for each part of each image and each channel, [image,part,channel].
template <typename T>
struct PartsOf {
  T* data;
  int parts, channels;
  __device__ T& at(int image, int part, int channel) const {
    return data[(static_cast<std::int64_t>(image) * parts + part) * channels + channel];
  }
};
using PartSums = PartsOf<float2>;

/// The scratch for what `rows` leave of each of their parts.
template <typename T>
Slot<T> add_parts(const PixelRows& rows, std::int64_t channels, ScratchLayout& scratch) {
  return scratch.add<T>(std::int64_t{rows.n} * rows.parts_of_image() * channels);
}

/// Sums f(pixel, channel), a float2, over the pixels of each part.
template <typename F>
__global__ void __launch_bounds__(summing_threads) sum_parts_kernel(PixelRows rows, F f, PartSums sums) {
  const int image = static_cast<int>(blockIdx.y) / sums.parts, part = static_cast<int>(blockIdx.y) % sums.parts;
  const int first = part * rows.part_rows();
  sum_over(
      rows.pixels_of_part(part), sums.channels,
      [&](int i, int channel) -> TwoSums {
        const float2 value = f(Pixel{image, rows.w.quotient(first + i), rows.w.remainder(first + i)}, channel);
        return {value.x, value.y};
      },
      [&](int channel, const TwoSums& all) {
        sums.at(image, part, channel) = make_float2(static_cast<float>(all.first), static_cast<float>(all.second));
      });
}

template <typename F>
void sum_parts(void* stream, const PixelRows& rows, const F& f, const PartSums& sums) {
  launch<sum_parts_kernel<F>>(dim3(summing_blocks(sums.channels), static_cast<unsigned>(rows.n * sums.parts)),
                              summing_block, 0, stream, rows, f, sums);
}

}  // namespace kernels::BACKEND
