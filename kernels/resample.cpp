#include "kernels/resample.h"

#include "kernels/conv_prologue.h"

namespace kernels {
namespace {

/// The way through a prologue that does nothing else.
PrologueKernel kernel(const Tensor& x, const Tensor& y, Resample resample, int threads, ScratchLayout& scratch) {
  const ImageSize from{x.shape[0], x.shape[1], x.shape[2], x.shape[3]};
  check_resize(x, y, resample);
  return {from, x, {}, {.resample = resample}, threads, scratch};
}

}  // namespace

Step prepare(const Resize& op, const CpuContext& context) {
  ScratchLayout scratch;
  const PrologueKernel resize = kernel(op.x, op.y, op.resample, context.threads, scratch);
  return {[=](const Memory& memory) { resize.forward(memory, memory.at<float>(op.y)); }, scratch.bytes()};
}

Step prepare(const ResizeGradient& op, const CpuContext& context) {
  ScratchLayout scratch;
  const PrologueKernel resize = kernel(op.dx, op.dy, op.resample, context.threads, scratch);
  return {[=](const Memory& memory) {
            resize.reverse(memory, 1, memory.at<float>(op.dy), memory.at<float>(op.dx), nullptr);
          },
          scratch.bytes()};
}

}  // namespace kernels
