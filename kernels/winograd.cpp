#include "kernels/winograd.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "kernels/check.h"
#include "kernels/parallel.h"
#include "kernels/winograd_patches.h"

namespace kernels::winograd {
namespace {

/// Rows and matrices are a cache line apart, so that they do not all fall on the same sets of the cache.
std::int64_t padded(std::int64_t columns) {
  return columns + 16;
}

/// Of a core; half a MiB where the system does not know.
std::int64_t second_level_cache_bytes() {
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? bytes : 1 << 19;
}

Matrices from_row(const Matrices& m, std::int64_t row) {
  return {m.data + row * m.stride, m.matrix, m.stride};
}

/// Forward and data gradient: tiles x inputs times inputs x outputs, 36 times. Where there are more tiles than outputs
/// all weights are transformed first, and each thread takes blocks of tiles that stay in the second-level cache; else
/// all tiles first, and each thread takes panels of outputs.
class TileProducts {
 public:
  TileProducts(const VectorKernels& kernels, Direction direction, const ConvSize& size, int threads,
               ScratchLayout& scratch)
      : kernels_(&kernels),
        direction_(direction),
        c_(size.c),
        inputs_(direction == Direction::forward ? size.c : size.k),
        outputs_(direction == Direction::forward ? size.k : size.c),
        depth_(inputs_ / kernels.values),
        tiling_{size.n, size.h, size.w},
        threads_(threads),
        vectors_(outputs_ % (2 * kernels.lanes) == 0 ? 2 : 1),
        share_tiles_(outputs_ > tiling_.tiles()),
        block_rows_(std::clamp<std::int64_t>(block_rows(), 1, tiling_.rows())) {
    const std::int64_t block_tiles = block_rows_ * tiling_.columns();
    tile_matrix_ = padded((share_tiles_ ? tiling_.tiles() : block_tiles) * padded(depth_));
    weight_matrix_ = padded(depth_ * width());
    product_matrix_ = padded(block_tiles * width());
    tiles_ = scratch.add<float>((share_tiles_ ? 1 : threads) * coefficients * tile_matrix_);
    weights_ = scratch.add<float>((share_tiles_ ? threads : panels()) * coefficients * weight_matrix_);
    products_ = scratch.add<float>(threads * coefficients * product_matrix_);
    patches_ = scratch.add<float>(threads * PatchRows::floats(tiling_, inputs_));
  }

  void run(const RowSource& source, const float* weight, float* result, const BlockDone& done,
           const Memory& memory) const {
    if (share_tiles_)
      run_by_panels(source, weight, result, done, memory);
    else
      run_by_blocks(source, weight, result, done, memory);
  }

 private:
  /// Tile rows of a block: a multiple of as many as fill the registers of the products, if those stay in the cache. Its
  /// tiles, or its products where all tiles are made first, are to fill half of the second-level cache.
  std::int64_t block_rows() const {
    const std::int64_t block_floats = second_level_cache_bytes() / 2 / static_cast<std::int64_t>(sizeof(float));
    const std::int64_t columns = tiling_.columns();
    const std::int64_t row_floats = coefficients * (share_tiles_ ? width() : padded(depth_)) * columns;
    const std::int64_t fit = block_floats / row_floats;
    const std::int64_t full = std::lcm<std::int64_t>(columns, kernels_->most_rows[vectors_]) / columns;
    return full * row_floats > 2 * block_floats ? fit : std::max<std::int64_t>(fit / full, 1) * full;
  }

  std::int64_t width() const { return vectors_ * kernels_->lanes; }  // outputs of a panel
  std::int64_t panels() const { return outputs_ / width(); }
  std::int64_t block_end(std::int64_t row, std::int64_t last) const { return std::min(row + block_rows_, last); }

  Matrices tiles(const Memory& memory, std::int64_t i) const {
    return {tiles_.in(memory) + i * coefficients * tile_matrix_, tile_matrix_, padded(depth_)};
  }
  Matrices weights(const Memory& memory, std::int64_t i) const {
    return {weights_.in(memory) + i * coefficients * weight_matrix_, weight_matrix_, width()};
  }
  Matrices products(const Memory& memory, std::int64_t thread) const {
    return {products_.in(memory) + thread * coefficients * product_matrix_, product_matrix_, width()};
  }
  PatchRows patches(const RowSource& source, const Memory& memory, std::int64_t thread) const {
    return {tiling_, inputs_, source, patches_.in(memory) + thread * PatchRows::floats(tiling_, inputs_)};
  }

  void run_by_blocks(const RowSource& source, const float* weight, float* result, const BlockDone& done,
                     const Memory& memory) const {
    parallel_for(threads_, panels() * (inputs_ / kernels_->lanes), [&](std::int64_t i) {
      transform_weights(weight, i % panels(), i / panels(), weights(memory, i % panels()));
    });
    share(threads_, tiling_.rows(), [&](std::int64_t thread, std::int64_t first, std::int64_t last) {
      PatchRows rows = patches(source, memory, thread);
      const Matrices block = tiles(memory, thread);
      for (std::int64_t row = first; row < last; row += block_rows_) {
        rows.transform(*kernels_, Adjacent::depth, tiling_.columns(), row, block_end(row, last), block);
        for (std::int64_t panel = 0; panel < panels(); ++panel)
          multiply(block, weights(memory, panel), products(memory, thread), panel, row, block_end(row, last), result);
        tell(done, row, block_end(row, last));
      }
    });
  }

  void run_by_panels(const RowSource& source, const float* weight, float* result, const BlockDone& done,
                     const Memory& memory) const {
    const Matrices all = tiles(memory, 0);
    share(threads_, tiling_.rows(), [&](std::int64_t thread, std::int64_t first, std::int64_t last) {
      patches(source, memory, thread)
          .transform(*kernels_, Adjacent::depth, tiling_.columns(), first, last,
                     from_row(all, first * tiling_.columns()));
    });
    share(threads_, panels(), [&](std::int64_t thread, std::int64_t first, std::int64_t last) {
      const Matrices own = weights(memory, thread);
      for (std::int64_t panel = first; panel < last; ++panel) {
        for (std::int64_t i = 0; i < inputs_ / kernels_->lanes; ++i) transform_weights(weight, panel, i, own);
        for (std::int64_t row = 0; row < tiling_.rows(); row += block_rows_)
          multiply(from_row(all, row * tiling_.columns()), own, products(memory, thread), panel, row,
                   block_end(row, tiling_.rows()), result);
      }
    });
    share(threads_, tiling_.rows(),
          [&](std::int64_t, std::int64_t first, std::int64_t last) { tell(done, first, last); });
  }

  /// A tile row is a block of rows.
  void tell(const BlockDone& done, std::int64_t first, std::int64_t last) const {
    static_assert(RowBlocks::height == tile);
    for (std::int64_t row = first; done && row < last; ++row)
      done(row / tiling_.image_rows(), row % tiling_.image_rows());
  }

  /// The i-th vector of inputs of one panel of outputs.
  void transform_weights(const float* weight, std::int64_t panel, std::int64_t i, const Matrices& to) const {
    kernels_->transform_weights[static_cast<int>(direction_)](weight, c_, panel * width(), width(), i * kernels_->lanes,
                                                              to);
  }

  /// One panel of outputs of the tile rows first..last-1.
  void multiply(const Matrices& tiles, const Matrices& weights, const Matrices& products, std::int64_t panel,
                std::int64_t first, std::int64_t last, float* result) const {
    for (int i = 0; i < coefficients; ++i)
      kernels_->multiply[static_cast<int>(Adjacent::depth)]({.a = tiles.data + i * tiles.matrix,
                                                             .a_stride = tiles.stride,
                                                             .b = weights.data + i * weights.matrix,
                                                             .b_stride = weights.stride,
                                                             .c = products.data + i * products.matrix,
                                                             .c_stride = products.stride,
                                                             .depth = depth_,
                                                             .accumulate = false},
                                                            (last - first) * tiling_.columns(), vectors_);
    for (std::int64_t row = first; row < last; ++row)
      kernels_->transform_output(from_row(products, (row - first) * tiling_.columns()), width(),
                                 result + tiling_.first_pixel(row) * outputs_ + panel * width(),
                                 {tiling_.height_of(row), tiling_.w, outputs_});
  }

  const VectorKernels* kernels_;
  Direction direction_;
  std::int64_t c_, inputs_, outputs_, depth_;  // depth: words of the inputs
  Tiling tiling_;
  int threads_, vectors_;  // vectors: of a panel
  bool share_tiles_;
  std::int64_t block_rows_;                                    // tile rows of a block
  std::int64_t tile_matrix_, weight_matrix_, product_matrix_;  // elements
  Slot<float> tiles_, weights_, products_, patches_;
};

/// Weight gradient: for each of the 36 coefficients outputs x tiles times tiles x inputs, with the tiles of a few
/// images at a time, in their order.
class WeightProducts {
 public:
  WeightProducts(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch)
      : kernels_(&kernels), size_(size), threads_(threads), vectors_(size.c % (2 * kernels.lanes) == 0 ? 2 : 1) {
    const Tiling image{1, size.h, size.w};
    row_depth_ = (image.columns() + kernels.values - 1) / kernels.values;
    const std::int64_t image_depth = image.rows() * row_depth_;
    const std::int64_t images = most_floats / (coefficients * image_depth * (padded(size.c) + padded(size.k)));
    images_ = std::clamp<std::int64_t>(images, 1, size.n);
    source_ = scratch.add<float>(coefficients * padded(images_ * image_depth * padded(size.c)));
    gradient_ = scratch.add<float>(coefficients * padded(images_ * image_depth * padded(size.k)));
    sums_ = scratch.add<float>(coefficients * padded(size.k * size.c));
    patches_ = scratch.add<float>(threads * PatchRows::floats({1, size.h, size.w}, size.c));
  }

  void run(const RowSource& source, const float* dy, float scale, bool accumulate, float* dweight,
           const Memory& memory) const {
    const Matrices sums{sums_.in(memory), padded(size_.k * size_.c), size_.c};
    for (std::int64_t image = 0; image < size_.n; image += images_)
      add_images(source, dy, image, std::min(image + images_, size_.n), sums, memory);
    parallel_for(threads_, size_.k, [&](std::int64_t k) {
      kernels_->transform_weight_gradient(from_row(sums, k), size_.c, scale, accumulate, dweight + k * taps * size_.c);
    });
  }

 private:
  static constexpr std::int64_t most_floats = 1 << 21;  // of transformed images at a time

  void add_images(const RowSource& source, const float* dy, std::int64_t first, std::int64_t last, const Matrices& sums,
                  const Memory& memory) const {
    const Tiling tiling{size_.n, size_.h, size_.w};
    const std::int64_t first_row = first * tiling.image_rows(), rows = (last - first) * tiling.image_rows();
    const std::int64_t depth = rows * row_depth_;
    const Matrices x{source_.in(memory), padded(depth * padded(size_.c)), padded(size_.c)};
    const Matrices g{gradient_.in(memory), padded(depth * padded(size_.k)), padded(size_.k)};
    share(threads_, rows, [&](std::int64_t thread, std::int64_t from, std::int64_t to) {
      PatchRows patches(tiling, size_.c, source, patches_.in(memory) + thread * PatchRows::floats(tiling, size_.c));
      patches.transform(*kernels_, Adjacent::rows, row_depth_, first_row + from, first_row + to,
                        from_row(x, from * row_depth_));
      for (std::int64_t row = from; row < to; ++row)
        kernels_->transform_output_gradient(dy + tiling.first_pixel(first_row + row) * size_.k,
                                            {tiling.height_of(first_row + row), size_.w, size_.k},
                                            from_row(g, row * row_depth_));
    });
    const std::int64_t width = vectors_ * kernels_->lanes, panels = size_.c / width;
    parallel_for(threads_, coefficients * panels, [&](std::int64_t i) {
      const std::int64_t coefficient = i / panels, c = i % panels * width;
      kernels_->multiply[static_cast<int>(Adjacent::rows)]({.a = g.data + coefficient * g.matrix,
                                                            .a_stride = g.stride,
                                                            .b = x.data + coefficient * x.matrix + c,
                                                            .b_stride = x.stride,
                                                            .c = sums.data + coefficient * sums.matrix + c,
                                                            .c_stride = sums.stride,
                                                            .depth = depth,
                                                            .accumulate = first > 0},
                                                           size_.k, vectors_);
    });
  }

  const VectorKernels* kernels_;
  ConvSize size_;
  int threads_, vectors_;
  std::int64_t row_depth_;  // words of the tiles of a tile row
  std::int64_t images_;     // transformed at a time
  Slot<float> source_, gradient_, sums_, patches_;
};

Convolution tile_products(const VectorKernels& kernels, Direction direction, const ConvSize& size, int threads,
                          ScratchLayout& scratch) {
  const TileProducts products(kernels, direction, size, threads, scratch);
  return {[=](const RowSource& source, const float* weight, float* result, const BlockDone& done,
              const Memory& memory) { products.run(source, weight, result, done, memory); }};
}

}  // namespace

bool serves(const VectorKernels& kernels, const ConvSize& size) {
  return size.r == 3 && size.c % kernels.lanes == 0 && size.k % kernels.lanes == 0 && size.h >= patch &&
         size.w >= patch;
}

Convolution convolution(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch) {
  return tile_products(kernels, Direction::forward, size, threads, scratch);
}

Convolution data_gradient(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch) {
  return tile_products(kernels, Direction::data_gradient, size, threads, scratch);
}

WeightGradient weight_gradient(const VectorKernels& kernels, const ConvSize& size, int threads,
                               ScratchLayout& scratch) {
  const WeightProducts products(kernels, size, threads, scratch);
  return {[=](const RowSource& source, const float* dy, float scale, bool accumulate, float* dweight,
              const Memory& memory) { products.run(source, dy, scale, accumulate, dweight, memory); }};
}

}  // namespace kernels::winograd
