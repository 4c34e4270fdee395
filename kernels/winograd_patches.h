// The tiles of a batch of images, numbered along the tile rows of one image after the other, and the source pixels
// under them.
#pragma once

#include <algorithm>

#include "kernels/conv_engine.h"
#include "kernels/vector_kernels.h"
#include "kernels/winograd_transforms.h"

namespace kernels::winograd {

struct Tiling {
  std::int64_t n, h, w;
  std::int64_t columns() const { return (w + tile - 1) / tile; }
  std::int64_t image_rows() const { return (h + tile - 1) / tile; }  // tile rows of one image
  std::int64_t rows() const { return n * image_rows(); }             // and of all
  std::int64_t tiles() const { return rows() * columns(); }
  /// Of a tile row: its first pixel among those of all images, and how many rows of pixels it covers.
  std::int64_t first_pixel(std::int64_t row) const { return (row / image_rows() * h + row % image_rows() * tile) * w; }
  std::int64_t height_of(std::int64_t row) const { return std::min<std::int64_t>(tile, h - row % image_rows() * tile); }
};

/// The six rows of source pixels under a tile row, with the zeros around the image.
class PatchRows {
 public:
  /// `rows` has room for floats(tiling, channels).
  PatchRows(const Tiling& tiling, std::int64_t channels, const RowSource& source, float* rows)
      : tiling_(tiling), channels_(channels), source_(source), rows_(rows) {
    std::fill_n(rows_, floats(tiling, channels), 0.0f);
  }
  static std::int64_t floats(const Tiling& tiling, std::int64_t channels) {
    return patch * (tiling.columns() * tile + 2) * channels;
  }

  /// The tile rows first..last-1 to one matrix row [channels] a tile, `advance` matrix rows from one tile row to the
  /// next.
  void transform(const VectorKernels& kernels, Adjacent adjacent, std::int64_t advance, std::int64_t first,
                 std::int64_t last, Matrices to) {
    for (std::int64_t row = first; row < last; ++row, to.data += advance * to.stride) {
      go_to(row);
      kernels.transform_input[static_cast<int>(adjacent)](current_, tiling_.columns(), channels_, to);
    }
  }

 private:
  float* slot(std::int64_t row) const { return rows_ + row % patch * (tiling_.columns() * tile + 2) * channels_; }

  /// Where the tile row follows the last one two of its rows are there already.
  void go_to(std::int64_t tile_row) {
    const std::int64_t image = tile_row / tiling_.image_rows(), first = tile_row % tiling_.image_rows() * tile;
    for (int i = 0; i < patch; ++i) {
      current_[i] = slot(first + i);
      if (i < 2 && tile_row == last_ + 1 && first > 0) continue;
      const std::int64_t row = first - 1 + i;
      float* const pixels = slot(first + i) + channels_;
      if (row < 0 || row >= tiling_.h) {
        std::fill_n(pixels, tiling_.w * channels_, 0.0f);
      } else if (const float* const found = source_(image, row, pixels); found != pixels) {
        std::copy_n(found, tiling_.w * channels_, pixels);
      }
    }
    last_ = tile_row;
  }

  Tiling tiling_;
  std::int64_t channels_;
  const RowSource& source_;
  float* rows_;
  const float* current_[patch] = {};
  std::int64_t last_ = -2;
};

}  // namespace kernels::winograd
