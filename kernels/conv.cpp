#include "kernels/conv.h"

#include "kernels/conv_epilogue.h"
#include "kernels/conv_prologue.h"
#include "kernels/matrix_conv.h"
#include "kernels/onednn.h"
#include "kernels/winograd.h"

namespace kernels {
namespace {

/// The extents of a convolution's source and output, from its output (or the output's gradient) and weights.
struct ConvExtents {
  ConvExtents(const Tensor& source, const Tensor& weight, const Tensor& output, Resample resample)
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
  ImageSize in, v, out;
  ConvSize size;
};

bool served_by_winograd(const ConvSize& size) {
  return size.keeps_extents() && winograd::serves(vector_kernels(), size);
}

bool served_by_matrix_conv(const ConvSize& size) {
  return size.keeps_extents() && matrix_conv::serves(vector_kernels(), size);
}

/// What a convolution reads: v in memory, whole, for engines that want it so; or row by row while it is made.
class ConvSource {
 public:
  ConvSource(const PrologueKernel& prologue, const ImageSize& v, const In& x0, bool by_rows, ScratchLayout& scratch)
      : prologue_(prologue), v_(v), x0_(x0), whole_(!by_rows || !prologue.has_rows() || prologue.is_identity()) {
    if (whole_ && !prologue.is_identity()) slot_ = scratch.add<float>(v.elements());
  }

  const float* whole(const Memory& memory) const {
    if (prologue_.is_identity()) return memory.at<float>(x0_);
    prologue_.forward(memory, slot_.in(memory));
    return slot_.in(memory);
  }

  RowSource rows(const Memory& memory) const {
    if (whole_) return rows_of(whole(memory), v_);
    prologue_.begin_rows(memory);
    return [this, &memory](std::int64_t image, std::int64_t row, float* buffer) {
      prologue_.row(memory, image, row, buffer);
      return buffer;
    };
  }

  static RowSource rows_of(const float* v, const ImageSize& size) {
    return [v, size](std::int64_t image, std::int64_t row, float*) {
      return v + (image * size.h + row) * size.row_elements();
    };
  }

 private:
  PrologueKernel prologue_;
  ImageSize v_;
  In x0_;
  bool whole_;
  Slot<float> slot_;
};

/// The bare convolution, its data gradient or its weight gradient, by the engine that serves the size.
using Convolve = std::function<void(const ConvSource& source, const float* weight, float* y, const Memory& memory)>;
using ConvolveBack = std::function<void(const float* dy, const float* weight, float* dv, const Memory& memory)>;
using WeightGradient = std::function<void(const ConvSource& source, const float* dy, float scale, Mode mode,
                                          float* dweight, const Memory& memory)>;

Convolve make_convolution(const ConvSize& size, int threads, ScratchLayout& scratch) {
  if (served_by_winograd(size)) {
    const auto engine = winograd::convolution(vector_kernels(), size, threads, scratch);
    return [=](const ConvSource& source, const float* weight, float* y, const Memory& memory) {
      engine.run(source.rows(memory), weight, y, memory);
    };
  }
  if (served_by_matrix_conv(size)) {
    const auto engine = matrix_conv::convolution(vector_kernels(), size, threads, scratch);
    return [=](const ConvSource& source, const float* weight, float* y, const Memory& memory) {
      engine.run(source.rows(memory), weight, y, memory);
    };
  }
  const onednn::ConvCall call = onednn::convolution(size, threads);
  const auto slot = scratch.add<std::byte>(static_cast<std::int64_t>(call.scratch_bytes));
  return [=](const ConvSource& source, const float* weight, float* y, const Memory& memory) {
    call.run(source.whole(memory), weight, y, slot.in(memory));
  };
}

ConvolveBack make_data_gradient(const ConvSize& size, int threads, ScratchLayout& scratch) {
  if (served_by_winograd(size)) {
    const auto engine = winograd::data_gradient(vector_kernels(), size, threads, scratch);
    return [=](const float* dy, const float* weight, float* dv, const Memory& memory) {
      engine.run(ConvSource::rows_of(dy, {size.n, size.h, size.w, size.k}), weight, dv, memory);
    };
  }
  if (served_by_matrix_conv(size)) {
    const auto engine = matrix_conv::data_gradient(vector_kernels(), size, threads, scratch);
    return [=](const float* dy, const float* weight, float* dv, const Memory& memory) {
      engine.run(ConvSource::rows_of(dy, {size.n, size.h, size.w, size.k}), weight, dv, memory);
    };
  }
  const onednn::ConvCall call = onednn::convolution_data_gradient(size, threads);
  const auto slot = scratch.add<std::byte>(static_cast<std::int64_t>(call.scratch_bytes));
  return [=](const float* dy, const float* weight, float* dv, const Memory& memory) {
    call.run(dy, weight, dv, slot.in(memory));
  };
}

WeightGradient make_weight_gradient(const ConvSize& size, int threads, ScratchLayout& scratch) {
  if (served_by_winograd(size)) {
    const auto engine = winograd::weight_gradient(vector_kernels(), size, threads, scratch);
    return
        [=](const ConvSource& source, const float* dy, float scale, Mode mode, float* dweight, const Memory& memory) {
          engine.run(source.rows(memory), dy, scale, mode == Mode::accumulate, dweight, memory);
        };
  }
  if (served_by_matrix_conv(size)) {
    const auto engine = matrix_conv::weight_gradient(vector_kernels(), size, threads, scratch);
    return
        [=](const ConvSource& source, const float* dy, float scale, Mode mode, float* dweight, const Memory& memory) {
          engine.run(source.whole(memory), dy, scale, mode == Mode::accumulate, dweight, memory);
        };
  }
  const onednn::ConvCall call = onednn::convolution_weight_gradient(size, threads);
  const std::int64_t weights = size.k * size.r * size.r * size.c;
  const auto slot = scratch.add<std::byte>(static_cast<std::int64_t>(call.scratch_bytes));
  const auto fresh_slot = scratch.add<float>(weights);
  return [=](const ConvSource& source, const float* dy, float scale, Mode mode, float* dweight, const Memory& memory) {
    const bool direct = mode == Mode::overwrite && scale == 1;
    float* const fresh = direct ? dweight : fresh_slot.in(memory);
    call.run(source.whole(memory), dy, fresh, slot.in(memory));
    for (std::int64_t i = 0; !direct && i < weights; ++i)
      dweight[i] = scale * fresh[i] + (mode == Mode::accumulate ? dweight[i] : 0);
  };
}

}  // namespace

Step prepare(const Conv& op, const CpuContext& context) {
  const ConvExtents extents(op.x0, op.weight, op.y, op.prologue.resample);
  ScratchLayout scratch;
  const PrologueKernel prologue(extents.in, op.x0, op.x1, op.prologue, context.threads, scratch);
  const bool by_rows = served_by_winograd(extents.size) || served_by_matrix_conv(extents.size);
  const ConvSource source(prologue, extents.v, op.x0, by_rows, scratch);
  const Epilogue epilogue(op, extents.out, context.threads, scratch);
  const Convolve convolve = make_convolution(extents.size, context.threads, scratch);
  return {[=](const Memory& memory) {
            convolve(source, memory.at<float>(op.weight), memory.at<float>(op.y), memory);
            epilogue.run(memory);
          },
          scratch.bytes()};
}

Step prepare(const ConvDataGradient& op, const CpuContext& context) {
  const ConvExtents extents(op.dz, op.weight, op.dy, op.prologue.resample);
  ensure(op.dz.shape[3] == extents.in.c, "a convolution's data gradient has the source's channels");
  ensure(bool(op.sums) == bool(op.prologue.coefficients), "the sums belong to a norm");
  const bool reads_sources = op.prologue.coefficients || op.prologue.activation != Activation::none;
  ScratchLayout scratch;
  const PrologueKernel prologue(extents.in, reads_sources ? op.x0 : In(), reads_sources ? op.x1 : In(), op.prologue,
                                context.threads, scratch);
  const bool in_place = extents.v.h == extents.in.h;  // nothing is resampled
  const auto dv_slot = scratch.add<float>(in_place ? 0 : extents.v.elements());
  const ConvolveBack convolve = make_data_gradient(extents.size, context.threads, scratch);
  return {[=](const Memory& memory) {
            float* const dz = memory.at<float>(op.dz);
            float* const dv = in_place ? dz : dv_slot.in(memory);
            convolve(memory.at<float>(op.dy), memory.at<float>(op.weight), dv, memory);
            prologue.reverse(memory, op.scale, dv, dz, memory.at<float>(op.sums));
          },
          scratch.bytes()};
}

Step prepare(const ConvWeightGradient& op, const CpuContext& context) {
  const ConvExtents extents(op.x0, op.dweight, op.dy, op.prologue.resample);
  ScratchLayout scratch;
  const PrologueKernel prologue(extents.in, op.x0, op.x1, op.prologue, context.threads, scratch);
  const ConvSource source(prologue, extents.v, op.x0, served_by_winograd(extents.size), scratch);
  const BiasGradient bias_gradient(op, extents.out, context.threads, scratch);
  const WeightGradient gradient = make_weight_gradient(extents.size, context.threads, scratch);
  return {[=](const Memory& memory) {
            gradient(source, memory.at<float>(op.dy), op.scale, op.mode, memory.at<float>(op.dweight), memory);
            bias_gradient.run(memory);
          },
          scratch.bytes()};
}

}  // namespace kernels
