// Sums of the columns of images or rows, for the gradients of biases; for kernels only.
#pragma once

#include "kernels/gpu_pixels.h"

namespace kernels::BACKEND {

/// Parts without pixels hold nothing.
__device__ inline TwoSums combined_sums(const PixelRows& rows, const PartSums& parts, int image, int c) {
  TwoSums sums{};
  for (int part = 0; part < parts.parts && rows.pixels_of_part(part) > 0; ++part) {
    sums.first += parts.at(image, part, c).x;
    sums.second += parts.at(image, part, c).y;
  }
  return sums;
}

/// For sum_parts: the element itself of images [n,h,w,c].
struct ElementOf {
  ConstArray images;
  int h, w, c;
  __device__ float2 operator()(const Pixel& at, int channel) const {
    return make_float2(
        images.at<1>(((static_cast<std::int64_t>(at.image) * h + at.y) * w + at.x) * c + channel).value[0], 0);
  }
};

/// image_sums[n,c] from the parts; dembedding (optional) = scale times them.
static __global__ void __launch_bounds__(block_threads)
    finish_image_sums_kernel(PixelRows rows, PartSums parts, float scale, double* image_sums, float* dembedding) {
  for (std::int64_t i = first_item(); i < static_cast<std::int64_t>(rows.n) * parts.channels; i += item_stride()) {
    const TwoSums all =
        combined_sums(rows, parts, static_cast<int>(i / parts.channels), static_cast<int>(i % parts.channels));
    image_sums[i] = all.first;
    if (dembedding) dembedding[i] = static_cast<float>(scale * all.first);
  }
}

/// dbias[c] (+)= scale times the sums over all images.
static __global__ void __launch_bounds__(block_threads)
    finish_bias_kernel(int n, int channels, float scale, Mode mode, const double* image_sums, float* dbias) {
  for (std::int64_t c = first_item(); c < channels; c += item_stride()) {
    double sum = 0;
    for (int image = 0; image < n; ++image) sum += image_sums[static_cast<std::int64_t>(image) * channels + c];
    dbias[c] = static_cast<float>(scale * sum + (mode == Mode::accumulate ? dbias[c] : 0));
  }
}

/// Sums of the columns of images [n,h,w,c], of each image and of all.
class ColumnSums {
 public:
  static constexpr int block_rows = 1024;  // of `rows`
  ColumnSums(const PixelRows& rows, int channels, ScratchLayout& scratch)
      : rows_(rows),
        channels_(channels),
        parts_(add_parts<float2>(rows, channels, scratch)),
        image_sums_(scratch.add<double>(std::int64_t{rows.n} * channels)) {}

  /// dembedding[n,c] = scale times the sums of each image, dbias[c] (+)= of all; both optional.
  void run(void* stream, const Memory& memory, const ConstArray& images, float scale, Mode mode, float* dembedding,
           float* dbias) const {
    if (!dembedding && !dbias) return;
    const PartSums parts{parts_.in(memory), rows_.parts_of_image(), channels_};
    double* const image_sums = image_sums_.in(memory);
    sum_parts(stream, rows_, ElementOf{images, rows_.h, rows_.w, channels_}, parts);
    launch<finish_image_sums_kernel>(blocks_for(std::int64_t{rows_.n} * channels_), block_threads, 0, stream, rows_,
                                     parts, scale, image_sums, dembedding);
    if (dbias)
      launch<finish_bias_kernel>(blocks_for(channels_), block_threads, 0, stream, rows_.n, channels_, scale, mode,
                                 image_sums, dbias);
  }

 private:
  PixelRows rows_;
  int channels_;
  Slot<float2> parts_;
  Slot<double> image_sums_;
};

}  // namespace kernels::BACKEND
