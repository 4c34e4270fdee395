#include "kernels/conv_extents.h"

namespace kernels {

ImageSize resampled(const ImageSize& size, Resample resample) {
  const bool halves = resample == Resample::down || resample == Resample::fir_down || resample == Resample::stride ||
                      resample == Resample::fir_stride;
  ensure(!halves || (size.h % 2 == 0 && size.w % 2 == 0), "only images of even height and width are halved");
  switch (resample) {
    case Resample::none:
    case Resample::stride:
      return size;
    case Resample::up:
    case Resample::fir_up:
      return {size.n, size.h * 2, size.w * 2, size.c};
    case Resample::down:
    case Resample::fir_down:
      return {size.n, size.h / 2, size.w / 2, size.c};
    case Resample::fir_stride:
      return {size.n, size.h + 1, size.w + 1, size.c};
    case Resample::fir_transpose:
      return {size.n, size.h * 2 + 2, size.w * 2 + 2, size.c};
  }
  return size;
}

ConvExtents::ConvExtents(const Tensor& source, const Tensor& weight, const Tensor& output, Resample resample)
    : in{source.shape[0], source.shape[1], source.shape[2], weight.shape[3]},
      v(resampled(in, resample)),
      size{v.n, v.h, v.w, v.c, weight.shape[0], weight.shape[1]} {
  const std::int64_t r = weight.shape[1];
  ensure(weight.shape.rank() == 4 && weight.shape[2] == r && (r == 1 || r == 3), "a convolution is 1x1 or 3x3");
  if (resample == Resample::stride || resample == Resample::fir_stride || resample == Resample::fir_transpose) {
    ensure(r == 3, "a convolution that resamples by its own steps is 3x3");
    size.stride = resample == Resample::fir_transpose ? 1 : 2;
    size.before = 0;
    size.after = resample == Resample::stride ? 1 : 0;  // the last tap of the last pixel
  }
  out = {v.n, size.output(v.h), size.output(v.w), size.k};
  ensure(output.shape == Shape{out.n, out.h, out.w, out.c}, "a convolution's output is [n,h',w',k]");
}

void check_prologue(const ImageSize& size, const In& x0, const In& x1, const Prologue& prologue) {
  const std::int64_t c0 = x1 ? size.c - x1.shape[3] : size.c;
  const Shape pairs{size.n, size.c, 2};
  ensure(!x0 || x0.shape == Shape{size.n, size.h, size.w, c0}, "x0 has the shape of the source");
  ensure(!x1 || x1.shape == Shape{size.n, size.h, size.w, size.c - c0}, "x1 has the shape of the source");
  ensure(bool(prologue.coefficients) == bool(prologue.statistics), "a norm has coefficients and statistics");
  ensure(!prologue.coefficients || prologue.coefficients.shape == pairs, "coefficients are [n,c,2]");
  ensure(!prologue.statistics || size.c % prologue.statistics.shape[1] == 0, "groups divide the channels");
  ensure(bool(prologue.positions) == (prologue.dropout.rate > 0), "dropout has positions, and nothing else has");
  ensure(prologue.dropout.rate >= 0 && prologue.dropout.rate < 1, "a dropout rate is in [0, 1)");
}

void check_epilogue(const Conv& op, const ImageSize& size) {
  ensure(!op.bias || op.bias.shape == Shape{size.c}, "a convolution's bias is [k]");
  ensure(!op.embedding || op.embedding.shape == Shape{size.n, size.c}, "a convolution's embedding is [n,k]");
  ensure(!op.residual || op.residual.shape == op.y.shape, "a convolution's residual has the output's shape");
  ensure(!op.moments || op.moments.shape == Shape{size.n, size.c, 2}, "a convolution's moments are [n,k,2]");
}

void check_resize(const Tensor& x, const Tensor& y, Resample resample) {
  ensure(resample == Resample::up || resample == Resample::down || resample == Resample::fir_up ||
             resample == Resample::fir_down,
         "an image is resized by up, down, fir_up or fir_down");
  const ImageSize to = resampled({x.shape[0], x.shape[1], x.shape[2], x.shape[3]}, resample);
  ensure(y.shape == Shape{to.n, to.h, to.w, to.c}, "a resized image is [n,h',w',c]");
}

void check_bias_gradient(const ConvWeightGradient& op, const ImageSize& size) {
  ensure(!op.dbias || op.dbias.shape == Shape{size.c}, "a convolution's bias gradient is [k]");
  ensure(!op.dembedding || op.dembedding.shape == Shape{size.n, size.c}, "a convolution's embedding gradient is [n,k]");
}

}  // namespace kernels
