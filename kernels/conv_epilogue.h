// What surrounds a convolution on the side of its output: bias, embedding, residual, scale, moments, and back.
#pragma once

#include "kernels/conv.h"
#include "kernels/conv_prologue.h"
#include "kernels/moments.h"
#include "kernels/stored.h"

namespace kernels {

/// PivotedSums of each channel of a block, whose first pixel has the pivots.
struct BlockMoments {
  float *pivot, *sum, *sum_squares;
  static constexpr int parts = 3;
  BlockMoments(float* first, std::int64_t k) : pivot(first), sum(first + k), sum_squares(first + 2 * k) {}
};

/// What Conv does to the bare convolution: bias, embedding, residual, scale, moments.
class Epilogue {
 public:
  /// `size` is the output's.
  Epilogue(const Conv& op, const ImageSize& size, int threads, ScratchLayout& scratch);
  /// Where the bare convolution is wanted, in float.
  float* result(const Memory& memory) const { return y_.in(memory); }
  /// begin, then each of the RowBlocks of each image once its bare convolution is complete, then end. Blocks may come
  /// from several threads at once.
  void begin(const Memory& memory) const;
  void finish(const Memory& memory, std::int64_t image, std::int64_t block) const;
  void end(const Memory& memory) const;

 private:
  bool is_identity() const {
    return !op_.bias && !op_.embedding && !op_.residual && !op_.moments && op_.scale == 1 && !y_.is_copy();
  }
  void fill_add(const Memory& memory) const;
  BlockMoments block_moments(const Memory& memory, std::int64_t block) const;
  void combine_moments(const Memory& memory) const;

  Conv op_;
  ImageSize size_;
  RowBlocks blocks_;
  int threads_;
  FloatCopy y_;
  Slot<float> add_;            // [n,k], bias + embedding
  Slot<float> block_moments_;  // [n,blocks,3,k]
};

/// dbias and dembedding of a ConvWeightGradient, which has loaded dy.
class BiasGradient {
 public:
  /// `size` is the output's.
  BiasGradient(const ConvWeightGradient& op, const FloatCopy& dy, const ImageSize& size, int threads,
               ScratchLayout& scratch);
  void run(const Memory& memory) const;

 private:
  void sum_images(const Memory& memory) const;

  ConvWeightGradient op_;
  ImageSize size_;
  RowBlocks blocks_;
  int threads_;
  FloatCopy dy_;
  Slot<double> block_sums_;  // [n,blocks,k]
  Slot<double> image_sums_;  // [n,k]
};

}  // namespace kernels
