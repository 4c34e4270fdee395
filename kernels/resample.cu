#include "kernels/resample.h"

#include "kernels/gpu_conv.h"

namespace kernels::BACKEND {
namespace {

/// x[n,h,w,c] on its way to y.
template <int width>
Source<width> source_of(const Tensor& x, const Tensor& y, Resample resample, const Memory& memory) {
  const auto extent = [](const Tensor& images, int i) { return static_cast<int>(images.shape[i]); };
  return {.x0 = const_array(x, memory),
          .n = extent(x, 0),
          .h = extent(x, 1),
          .w = extent(x, 2),
          .c0 = extent(x, 3),
          .c = extent(x, 3),
          .resample = is_filter(resample) ? Resample::none : resample,
          .v_h = extent(y, 1),
          .v_w = extent(y, 2)};
}

/// A step that calls f(source, memory) with x on its way to y.
template <typename F>
Step with_source(const Tensor& x, const Tensor& y, Resample resample, const F& f) {
  check_resize(x, y, resample);
  return with_groups({x.shape[3]}, [&](auto width) -> Step {
    return {[=](const Memory& memory) { f(source_of<width>(x, y, resample, memory), memory); }};
  });
}

}  // namespace

template <>
Step prepare(const Resize& op, const GpuContext& context) {
  return with_source(op.x, op.y, op.resample,
                     [op, stream = context.stream]<int width>(const Source<width>& source, const Memory& memory) {
                       make_resized(stream, source, op.resample, array(op.y, memory));
                     });
}

template <>
Step prepare(const ResizeGradient& op, const GpuContext& context) {
  return with_source(op.dx, op.dy, op.resample,
                     [op, stream = context.stream]<int width>(const Source<width>& source, const Memory& memory) {
                       reverse_resized(stream, source, op.resample, const_array(op.dy, memory), 1,
                                       array(op.dx, memory));
                     });
}

}  // namespace kernels::BACKEND
