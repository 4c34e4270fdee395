// Pixels of images as the rows of a matrix product, and sums over the pixels of an image in a fixed order; for kernels
// only.
#pragma once

#include "kernels/gpu_array.h"
#include "kernels/scratch.h"

namespace kernels::BACKEND {

struct Pixel {
  int image, y, x;  // image < 0: none
  __device__ explicit operator bool() const { return image >= 0; }
};

/// The pixels of n images [h,w] as rows, in blocks that hold either a part of one image or some images whole. The rows
/// of a block that no pixel is left for are empty.
struct PixelRows {
  int n, h, w;
  int block;  // rows of one
  int images_of_block = 1, blocks_of_image = 1;

  PixelRows(int images, int height, int width, int block_rows) : n(images), h(height), w(width), block(block_rows) {
    if (pixels() > block)
      blocks_of_image = (pixels() + block - 1) / block;
    else
      images_of_block = block / pixels();
  }
  /// One after the other, with no empty rows.
  static PixelRows in_order(int images, int height, int width) { return {images, height, width, height * width}; }

  PORTABLE int pixels() const { return h * w; }
  int rows() const { return (n + images_of_block - 1) / images_of_block * blocks_of_image * block; }

  __device__ Pixel at(int row) const {
    const int of_image = row % block / pixels(), which = row / block / blocks_of_image;
    const int image = which * images_of_block + (blocks_of_image > 1 ? 0 : of_image);
    const int pixel =
        blocks_of_image > 1 ? row / block % blocks_of_image * block + row % block : row % block % pixels();
    if (image >= n || pixel >= pixels() || of_image >= images_of_block) return {-1, 0, 0};
    return {image, pixel / w, pixel % w};
  }

  // Sums over an image are the sums over its parts, in their order: the quarters of its blocks, or the image.
  static constexpr int quarters = 4;
  PORTABLE int part_rows() const { return blocks_of_image > 1 ? block / quarters : pixels(); }
  PORTABLE int parts_of_image() const { return blocks_of_image > 1 ? blocks_of_image * quarters : 1; }
  PORTABLE int parts_of_block() const { return blocks_of_image > 1 ? quarters : images_of_block; }
  /// Pixels of a part of an image; none beyond its end.
  PORTABLE int pixels_of_part(int part) const {
    const int left = pixels() - part * part_rows();
    return left < 0 ? 0 : left < part_rows() ? left : part_rows();
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
  const int block = row / rows.block;
  if (rows.blocks_of_image > 1) {
    const int part = block % rows.blocks_of_image * PixelRows::quarters + i;
    return {block / rows.blocks_of_image, part, i * rows.part_rows(), rows.pixels_of_part(part)};
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

struct TwoSums {
  double first, second;
};

/// Sums f(pixel, channel), a float2, over the pixels of each part, whose first one and number `rows` tells.
template <typename F>
__global__ void __launch_bounds__(256) sum_parts_kernel(PixelRows rows, F f, PartSums sums) {
  SHARED(TwoSums, line, [8][32]);
  const int channel = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
  const int image = static_cast<int>(blockIdx.y) / sums.parts, part = static_cast<int>(blockIdx.y) % sums.parts;
  double first_sum = 0, second_sum = 0;
  if (channel < sums.channels) {
    const int first = part * rows.part_rows();
    for (int p = first + static_cast<int>(threadIdx.y); p < first + rows.pixels_of_part(part); p += 8) {
      const float2 value = f(Pixel{image, p / rows.w, p % rows.w}, channel);
      first_sum += value.x;
      second_sum += value.y;
    }
  }
  line[threadIdx.y][threadIdx.x] = {first_sum, second_sum};
  __syncthreads();
  if (threadIdx.y == 0 && channel < sums.channels) {
    for (int i = 1; i < 8; ++i) {
      first_sum += line[i][threadIdx.x].first;
      second_sum += line[i][threadIdx.x].second;
    }
    sums.at(image, part, channel) = make_float2(static_cast<float>(first_sum), static_cast<float>(second_sum));
  }
}

template <typename F>
void sum_parts(void* stream, const PixelRows& rows, const F& f, const PartSums& sums) {
  launch<sum_parts_kernel<F>>(
      dim3(static_cast<unsigned>((sums.channels + 31) / 32), static_cast<unsigned>(rows.n * sums.parts)), dim3(32, 8),
      0, stream, rows, f, sums);
}

}  // namespace kernels::BACKEND
