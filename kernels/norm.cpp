#include "kernels/norm.h"

#include "kernels/norm_math.h"
#include "kernels/parallel.h"
#include "kernels/scratch.h"
#include "kernels/stored.h"

namespace kernels {

void ensure_shapes(const NormCoefficients& op) {
  const std::int64_t n = op.moments0.shape[0], c = op.gamma.shape[0], groups = op.statistics.shape[1];
  const std::int64_t c0 = op.moments0.shape[1], c1 = c - c0;
  ensure(op.moments0.shape == Shape{n, c0, 2}, "moments are [n,c,2]");
  ensure(op.moments1 ? op.moments1.shape == Shape{n, c1, 2} : c1 == 0, "the moments have the norm's channels");
  ensure(op.beta.shape == op.gamma.shape && op.coefficients.shape == Shape{n, c, 2},
         "a norm's operands have c channels");
  ensure(op.statistics.shape == Shape{n, groups, 2} && groups > 0 && c % groups == 0, "groups divide the channels");
  ensure(!op.modulation || op.modulation.shape == Shape{n, 2 * c}, "a norm's modulation is [n,2c]");
}

void ensure_shapes(const NormGradient& op) {
  const std::int64_t n = op.dz.shape[0], h = op.dz.shape[1], w = op.dz.shape[2], c = op.dz.shape[3];
  const std::int64_t groups = op.statistics.shape[1], c0 = op.x1 ? c - op.x1.shape[3] : c;
  ensure(op.sums.shape == Shape{n, c, 2} && op.gamma.shape == Shape{c}, "a norm's sums and gamma have c channels");
  ensure(op.statistics.shape == Shape{n, groups, 2} && groups > 0 && c % groups == 0, "groups divide the channels");
  ensure(op.x0.shape == Shape{n, h, w, c0}, "x0 has the shape of dz");
  ensure(!op.x1 || op.x1.shape == Shape{n, h, w, c - c0}, "x1 has the shape of dz");
  ensure((!op.dx0 || op.dx0.shape == op.x0.shape) && (!op.dx1 || (op.x1 && op.dx1.shape == op.x1.shape)),
         "a gradient has the shape of its source");
  ensure((!op.dgamma || op.dgamma.shape == Shape{c}) && (!op.dbeta || op.dbeta.shape == Shape{c}),
         "gradients of gamma and beta are [c]");
  ensure(!op.modulation || op.modulation.shape == Shape{n, 2 * c}, "a norm's modulation is [n,2c]");
  ensure(!op.dmodulation || (op.dmodulation.shape == op.modulation.shape && op.beta.shape == Shape{c}),
         "the gradient of a modulation has its shape, and needs beta");
}

Step prepare(const NormCoefficients& op, const CpuContext&) {
  ensure_shapes(op);
  return {[op](const Memory& memory) {
    const CoefficientsOfGroup of_group = coefficients_of(op, memory);
    for (std::int64_t image = 0; image < op.moments0.shape[0]; ++image)
      for (std::int64_t g = 0; g < of_group.groups; ++g) of_group(image, g);
  }};
}

namespace {

/// The line of norm_gradient() for each channel of one image.
struct Line {
  const float *p, *constant, *slope, *mean;
};

template <Mode mode, typename T>
void apply(std::int64_t channels, const Line& at, const T* __restrict dz, const T* __restrict x, T* __restrict dx) {
  const float* __restrict p = at.p;
  const float* __restrict constant = at.constant;
  const float* __restrict slope = at.slope;
  const float* __restrict mean = at.mean;
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) {
    const float gradient = norm_gradient(p[c], constant[c], slope[c], mean[c], widen(dz[c]), widen(x[c]));
    dx[c] = stored(mode == Mode::accumulate ? widen(dx[c]) + gradient : gradient, dx);
  }
}

class NormGradientKernel {
 public:
  NormGradientKernel(const NormGradient& op, int threads, ScratchLayout& scratch)
      : op_(op),
        threads_(threads),
        n_(op.dz.shape[0]),
        rows_(op.dz.shape[1]),
        w_(op.dz.shape[2]),
        c_(op.dz.shape[3]),
        groups_(op.statistics.shape[1]),
        c0_(op.x1 ? c_ - op.x1.shape[3] : c_) {
    ensure_shapes(op);
    for (const Tensor& other : {Tensor(op.x0), Tensor(op.x1), Tensor(op.dx0), Tensor(op.dx1)})
      ensure(!other || other.element == op.dz.element, "a norm's gradient has its large operands stored alike");
    lines_ = scratch.add<float>(n_ * 4 * c_);
  }

  void run(const Memory& memory) const {
    const NormSums of = sums_of(op_, memory);
    parameter_gradient(of, memory.at<float>(op_.dgamma), 1);
    parameter_gradient(of, memory.at<float>(op_.dbeta), 0);
    if (float* const dmodulation = memory.at<float>(op_.dmodulation))
      for (std::int64_t i = 0; i < n_ * c_; ++i) of.modulation_gradient(i, memory.at<float>(op_.beta), dmodulation);
    if (!op_.dx0 && !op_.dx1) return;
    for (std::int64_t image = 0; image < n_; ++image)
      for (std::int64_t g = 0; g < groups_; ++g) of.fill_lines(image, g, lines_.in(memory));
    parallel_for(threads_, n_ * rows_, [&](std::int64_t row) {
      source_row(memory, row, op_.x0, op_.dx0, op_.mode0, 0);
      source_row(memory, row, op_.x1, op_.dx1, op_.mode1, c0_);
    });
  }

 private:
  Line line(const Memory& memory, std::int64_t image, std::int64_t c) const {
    const float* const first = lines_.in(memory) + image * 4 * c_ + c;
    return {first, first + c_, first + 2 * c_, first + 3 * c_};
  }

  void parameter_gradient(const NormSums& of, float* gradient, std::int64_t which) const {
    if (!gradient) return;
    for (std::int64_t c = 0; c < c_; ++c) {
      double sum = op_.parameter_mode == Mode::accumulate ? gradient[c] : 0;
      for (std::int64_t image = 0; image < n_; ++image) sum += of.parameter_gradient(image, c, which);
      gradient[c] = static_cast<float>(sum);
    }
  }

  /// One row of one source, whose channels begin at `first` of dz. `row` counts over all images.
  void source_row(const Memory& memory, std::int64_t row, const In& source, const InOut& gradient, Mode mode,
                  std::int64_t first) const {
    if (!gradient) return;
    const std::int64_t channels = source.shape[3];
    const Line at = line(memory, row / rows_, first);
    with_stored(memory, op_.dz, [&]<typename T>(const T* dz) {
      const auto kernel = mode == Mode::accumulate ? apply<Mode::accumulate, T> : apply<Mode::overwrite, T>;
      for (std::int64_t pixel = row * w_; pixel < (row + 1) * w_; ++pixel)
        kernel(channels, at, dz + pixel * c_ + first, memory.at<T>(source) + pixel * channels,
               memory.at<T>(gradient) + pixel * channels);
    });
  }

  NormGradient op_;
  int threads_;
  std::int64_t n_, rows_, w_, c_, groups_, c0_;
  Slot<float> lines_;  // [n,4,c]
};

}  // namespace

Step prepare(const NormGradient& op, const CpuContext& context) {
  ScratchLayout scratch;
  const NormGradientKernel kernel(op, context.threads, scratch);
  return {[=](const Memory& memory) { kernel.run(memory); }, scratch.bytes()};
}

}  // namespace kernels
