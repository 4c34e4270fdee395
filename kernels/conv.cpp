#include "kernels/conv.h"

#include "kernels/conv_epilogue.h"
#include "kernels/conv_prologue.h"
#include "kernels/matrix_conv.h"
#include "kernels/onednn.h"
#include "kernels/winograd.h"

namespace kernels {
namespace {

/// The vector kernels for the record's products.
const VectorKernels& kernels_for(const auto& op) {
  return multiplies_bf16(op) ? bf16_vector_kernels() : vector_kernels();
}

bool served_by_winograd(const VectorKernels& kernels, const ConvSize& size) {
  return size.keeps_extents() && winograd::serves(kernels, size);
}

bool served_by_matrix_conv(const VectorKernels& kernels, const ConvSize& size) {
  return size.keeps_extents() && matrix_conv::serves(kernels, size);
}

/// Whether the engine that serves the size wants its source row by row.
bool takes_rows(const VectorKernels& kernels, const ConvSize& size) {
  return served_by_winograd(kernels, size) || served_by_matrix_conv(kernels, size);
}

/// What a convolution reads: v in memory, whole, for engines that want it so; or row by row while it is made.
class ConvSource {
 public:
  ConvSource(const PrologueKernel& prologue, const ImageSize& v, const In& x0, bool by_rows, ScratchLayout& scratch)
      : prologue_(prologue), v_(v), x0_(x0), whole_(!by_rows || !prologue.has_rows() || prologue.is_identity()) {
    if (whole_ && !prologue.is_identity()) slot_ = scratch.add<float>(v.elements());
  }

  RowSource rows(const Memory& memory) const {
    if (prologue_.is_identity()) return rows_of(memory.at<float>(x0_), v_);
    if (whole_) {
      prologue_.forward(memory, slot_.in(memory));
      return rows_of(slot_.in(memory), v_);
    }
    prologue_.begin_rows(memory);
    return [this, &memory](std::int64_t image, std::int64_t row, float* buffer) {
      prologue_.row(memory, image, row, buffer);
      return buffer;
    };
  }

  /// The rows of a tensor, widened one by one where they are bf16.
  static RowSource stored_rows(const Memory& memory, const Tensor& tensor, const ImageSize& size) {
    if (tensor.element == Element::f32) return rows_of(memory.at<float>(tensor), size);
    return [x = memory.at<Bf16>(tensor), size](std::int64_t image, std::int64_t row, float* buffer) {
      load_values(size.row_elements(), x + (image * size.h + row) * size.row_elements(), buffer);
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

/// Calls done(image, block) for each of the RowBlocks of each image.
void for_each_block(int threads, const ImageSize& size, const BlockDone& done) {
  const RowBlocks blocks{size.h};
  parallel_for(threads, size.n * blocks.count(), [&](std::int64_t i) { done(i / blocks.count(), i % blocks.count()); });
}

/// oneDNN's engines as the others are; they want their source in one piece.
Convolution onednn_convolution(const onednn::ConvCall& call, const ImageSize& result_size, int threads,
                               ScratchLayout& scratch) {
  const auto slot = scratch.add<std::byte>(static_cast<std::int64_t>(call.scratch_bytes));
  return {
      [=](const RowSource& source, const float* weight, float* result, const BlockDone& done, const Memory& memory) {
        call.run(source(0, 0, nullptr), weight, result, slot.in(memory));
        if (done) for_each_block(threads, result_size, done);
      }};
}

WeightGradient onednn_weight_gradient(const onednn::ConvCall& call, std::int64_t weights, ScratchLayout& scratch) {
  const auto slot = scratch.add<std::byte>(static_cast<std::int64_t>(call.scratch_bytes));
  const auto fresh_slot = scratch.add<float>(weights);
  return {[=](const RowSource& source, const float* dy, float scale, bool accumulate, float* dweight,
              const Memory& memory) {
    float* const fresh = fresh_slot.in(memory);
    call.run(source(0, 0, nullptr), dy, fresh, slot.in(memory));
    for (std::int64_t i = 0; i < weights; ++i) dweight[i] = scale * fresh[i] + (accumulate ? dweight[i] : 0);
  }};
}

/// The engine that serves the size.
Convolution make_convolution(const VectorKernels& kernels, const ConvSize& size, int threads, ScratchLayout& scratch) {
  if (served_by_winograd(kernels, size)) return winograd::convolution(kernels, size, threads, scratch);
  if (served_by_matrix_conv(kernels, size)) return matrix_conv::convolution(kernels, size, threads, scratch);
  return onednn_convolution(onednn::convolution(size, threads),
                            {size.n, size.output(size.h), size.output(size.w), size.k}, threads, scratch);
}

Convolution make_data_gradient(const VectorKernels& kernels, const ConvSize& size, int threads,
                               ScratchLayout& scratch) {
  if (served_by_winograd(kernels, size)) return winograd::data_gradient(kernels, size, threads, scratch);
  if (served_by_matrix_conv(kernels, size)) return matrix_conv::data_gradient(kernels, size, threads, scratch);
  return onednn_convolution(onednn::convolution_data_gradient(size, threads), {size.n, size.h, size.w, size.c}, threads,
                            scratch);
}

WeightGradient make_weight_gradient(const VectorKernels& kernels, const ConvSize& size, int threads,
                                    ScratchLayout& scratch) {
  if (served_by_winograd(kernels, size)) return winograd::weight_gradient(kernels, size, threads, scratch);
  if (served_by_matrix_conv(kernels, size)) return matrix_conv::weight_gradient(kernels, size, threads, scratch);
  return onednn_weight_gradient(onednn::convolution_weight_gradient(size, threads), size.k * size.r * size.r * size.c,
                                scratch);
}

}  // namespace

Step prepare(const Conv& op, const CpuContext& context) {
  const ConvExtents extents(op.x0, op.weight, op.y, op.prologue.resample);
  ScratchLayout scratch;
  const PrologueKernel prologue(extents.in, op.x0, op.x1, op.prologue, context.threads, scratch);
  const VectorKernels& kernels = kernels_for(op);
  const bool by_rows = takes_rows(kernels, extents.size);
  const ConvSource source(prologue, extents.v, op.x0, by_rows, scratch);
  const Epilogue epilogue(op, extents.out, context.threads, scratch);
  const Convolution convolution = make_convolution(kernels, extents.size, context.threads, scratch);
  return {[=](const Memory& memory) {
            epilogue.begin(memory);
            convolution.run(
                source.rows(memory), memory.at<float>(op.weight), epilogue.result(memory),
                [&](std::int64_t image, std::int64_t block) { epilogue.finish(memory, image, block); }, memory);
            epilogue.end(memory);
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
  const VectorKernels& kernels = kernels_for(op);
  const bool by_rows = takes_rows(kernels, extents.size);
  const FloatCopy dy_copy(by_rows ? In() : op.dy, scratch), dz_copy(op.dz, scratch);
  const Convolution convolution = make_data_gradient(kernels, extents.size, context.threads, scratch);
  return {[=](const Memory& memory) {
            dy_copy.load_all(memory, context.threads);
            const RowSource dy = by_rows ? ConvSource::stored_rows(memory, op.dy, extents.out)
                                         : ConvSource::rows_of(dy_copy.in(memory), extents.out);
            const float* const weight = memory.at<float>(op.weight);
            float *const dz = dz_copy.in(memory), *const sums = memory.at<float>(op.sums);
            if (in_place) {
              prologue.begin_reverse(memory);
              const RowBlocks blocks{extents.in.h};
              const auto reverse = [&](std::int64_t image, std::int64_t block) {
                prologue.reverse(memory, image, block, op.scale, dz, dz);
                const std::int64_t first = image * extents.in.h + blocks.begin(block),
                                   elements = extents.in.row_elements();
                dz_copy.store(memory, first * elements, (blocks.end(block) - blocks.begin(block)) * elements);
              };
              convolution.run(dy, weight, dz, reverse, memory);
              prologue.end_reverse(memory, sums);
            } else {
              float* const dv = dv_slot.in(memory);
              convolution.run(dy, weight, dv, {}, memory);
              prologue.reverse(memory, op.scale, dv, dz, sums);
              dz_copy.store_all(memory, context.threads);
            }
          },
          scratch.bytes()};
}

Step prepare(const ConvWeightGradient& op, const CpuContext& context) {
  const ConvExtents extents(op.x0, op.dweight, op.dy, op.prologue.resample);
  ScratchLayout scratch;
  const PrologueKernel prologue(extents.in, op.x0, op.x1, op.prologue, context.threads, scratch);
  const VectorKernels& kernels = kernels_for(op);
  const ConvSource source(prologue, extents.v, op.x0, served_by_winograd(kernels, extents.size), scratch);
  const FloatCopy dy(op.dy, scratch);
  const BiasGradient bias_gradient(op, dy, extents.out, context.threads, scratch);
  const WeightGradient gradient = make_weight_gradient(kernels, extents.size, context.threads, scratch);
  return {[=](const Memory& memory) {
            dy.load_all(memory, context.threads);
            gradient.run(source.rows(memory), dy.in(memory), op.scale, op.mode == Mode::accumulate,
                         memory.at<float>(op.dweight), memory);
            bias_gradient.run(memory);
          },
          scratch.bytes()};
}

}  // namespace kernels
