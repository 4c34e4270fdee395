#include "kernels/conv.h"

#include "kernels/conv_epilogue.h"
#include "kernels/conv_prologue.h"
#include "kernels/onednn.h"

namespace kernels {
namespace {

/// The extents of a convolution's source and output, from its output (or the output's gradient) and weights.
struct ConvExtents {
  ConvExtents(const Tensor& source, const Tensor& weight, const Tensor& output, Resample resample)
      : in{source.shape[0], source.shape[1], source.shape[2], weight.shape[3]},
        v(resampled(in, resample)),
        out{v.n, v.h, v.w, weight.shape[0]},
        r(weight.shape[1]) {
    ensure(weight.shape.rank() == 4 && weight.shape[2] == r && (r == 1 || r == 3), "a convolution is 1x1 or 3x3");
    ensure(output.shape == Shape{out.n, out.h, out.w, out.c}, "a convolution's output is [n,h',w',k]");
  }
  onednn::ConvSize onednn() const { return {v.n, v.h, v.w, v.c, out.c, r}; }
  ImageSize in, v, out;
  std::int64_t r;
};

}  // namespace

Step prepare(const Conv& op, const CpuContext& context) {
  const ConvExtents extents(op.x0, op.weight, op.y, op.prologue.resample);
  ScratchLayout scratch;
  const PrologueKernel prologue(extents.in, op.x0, op.x1, op.prologue, context.threads, scratch);
  const Epilogue epilogue(op, extents.out, context.threads, scratch);
  const onednn::ConvCall call = onednn::convolution(extents.onednn(), context.threads);
  const auto v_slot = scratch.add<float>(prologue.is_identity() ? 0 : extents.v.elements());
  const auto call_scratch = scratch.add<std::byte>(static_cast<std::int64_t>(call.scratch_bytes));
  return {[=](const Memory& memory) {
            const float* v = memory.at<float>(op.x0);
            if (!prologue.is_identity()) {
              prologue.forward(memory, v_slot.in(memory));
              v = v_slot.in(memory);
            }
            call.run(v, memory.at<float>(op.weight), memory.at<float>(op.y), call_scratch.in(memory));
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
  const onednn::ConvCall call = onednn::convolution_data_gradient(extents.onednn(), context.threads);
  const bool in_place = op.prologue.resample == Resample::none;
  const auto dv_slot = scratch.add<float>(in_place ? 0 : extents.v.elements());
  const auto call_scratch = scratch.add<std::byte>(static_cast<std::int64_t>(call.scratch_bytes));
  return {[=](const Memory& memory) {
            float* const dz = memory.at<float>(op.dz);
            float* const dv = in_place ? dz : dv_slot.in(memory);
            call.run(memory.at<float>(op.dy), memory.at<float>(op.weight), dv, call_scratch.in(memory));
            prologue.reverse(memory, op.scale, dv, dz, memory.at<float>(op.sums));
          },
          scratch.bytes()};
}

Step prepare(const ConvWeightGradient& op, const CpuContext& context) {
  const ConvExtents extents(op.x0, op.dweight, op.dy, op.prologue.resample);
  ScratchLayout scratch;
  const PrologueKernel prologue(extents.in, op.x0, op.x1, op.prologue, context.threads, scratch);
  const BiasGradient bias_gradient(op, extents.out, context.threads, scratch);
  const onednn::ConvCall call = onednn::convolution_weight_gradient(extents.onednn(), context.threads);
  const bool direct = op.mode == Mode::overwrite && op.scale == 1;
  const std::int64_t weights = op.dweight.shape.elements();
  const auto v_slot = scratch.add<float>(prologue.is_identity() ? 0 : extents.v.elements());
  const auto fresh_slot = scratch.add<float>(direct ? 0 : weights);
  const auto call_scratch = scratch.add<std::byte>(static_cast<std::int64_t>(call.scratch_bytes));
  return {[=](const Memory& memory) {
            const float* v = memory.at<float>(op.x0);
            if (!prologue.is_identity()) {
              prologue.forward(memory, v_slot.in(memory));
              v = v_slot.in(memory);
            }
            float* const dweight = memory.at<float>(op.dweight);
            float* const fresh = direct ? dweight : fresh_slot.in(memory);
            call.run(v, memory.at<float>(op.dy), fresh, call_scratch.in(memory));
            if (!direct) {
              const bool accumulate = op.mode == Mode::accumulate;
              for (std::int64_t i = 0; i < weights; ++i)
                dweight[i] = op.scale * fresh[i] + (accumulate ? dweight[i] : 0);
            }
            bias_gradient.run(memory);
          },
          scratch.bytes()};
}

}  // namespace kernels
