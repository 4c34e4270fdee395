#include "kernels/conv.h"

#include "kernels/gpu_conv_library.h"
#include "kernels/gpu_doubled_conv.h"

namespace kernels::BACKEND {
namespace {

/// moments[n,c,2] from the parts that StoreOutput leaves.
__global__ void __launch_bounds__(block_threads)
    finish_moments_kernel(PixelRows rows, PartMoments parts, float2* moments) {
  for (std::int64_t i = first_item(); i < static_cast<std::int64_t>(rows.n) * parts.channels; i += item_stride()) {
    Moments all;
    for (int part = 0; part < parts.parts; ++part)
      if (const int pixels = rows.pixels_of_part(part % rows.parts_of_image()); pixels > 0)
        all.add(parts.at(static_cast<int>(i / parts.channels), part, static_cast<int>(i % parts.channels)), pixels);
    moments[i] = make_float2(all.mean(), all.variance());
  }
}

/// sums[n,c,2] of dz and dz (x - mean)/std from the parts, which lack 1/std.
__global__ void __launch_bounds__(block_threads)
    finish_sums_kernel(PixelRows rows, PartSums parts, StatisticsOfGroups statistics, float2* sums) {
  for (std::int64_t i = first_item(); i < static_cast<std::int64_t>(rows.n) * parts.channels; i += item_stride()) {
    const int image = static_cast<int>(i / parts.channels), c = static_cast<int>(i % parts.channels);
    const TwoSums all = combined_sums(rows, parts, image, c);
    sums[i] = make_float2(static_cast<float>(all.first), static_cast<float>(all.second * statistics.at(image, c).y));
  }
}

template <int width, typename Tile>
Step convolve(const Conv& op, const ConvExtents& extents, void* stream) {
  const bool doubled = is_doubled(extents, op.prologue);
  const Phases phases{doubled ? 2 : 1};
  const PixelRows rows = pixel_rows(doubled ? extents.in : extents.out, Tile::rows);
  ScratchLayout scratch;
  const PatchSource source(extents, op.x0, op.x1, op.prologue, scratch);
  const TapWeights weights(op.weight, doubled, element_of<typename Tile::Element>(), TapOrder::phases, scratch);
  const auto parts_slot =
      op.moments ? add_parts<PivotedSums>(rows, phases.count() * extents.out.c, scratch) : Slot<PivotedSums>();
  const auto r = doubled ? 2 : static_cast<int>(extents.size.r), stride = static_cast<int>(extents.size.stride),
             before = static_cast<int>(extents.size.before), k = static_cast<int>(extents.size.k),
             depth = r * r * static_cast<int>(extents.size.c);
  return {[=](const Memory& memory) {
            const PartMoments parts{op.moments ? parts_slot.in(memory) : nullptr,
                                    phases.count() * rows.parts_of_image(), k};
            product<Tile>(
                stream, {rows.rows(), k, depth, depth, phases.count()},
                Patches<width, Along::k>{source.make<width>(stream, memory), rows, r, stride, before, phases},
                Matrix<width, Along::k>{
                    weights.make(stream, memory), k, depth, phases.count() * depth, {.image_stride = depth}},
                StoreOutput<Tile::width>{rows, phases, k, Tile::columns, memory.at<const float>(op.bias),
                                         memory.at<const float>(op.embedding), const_array(op.residual, memory),
                                         op.scale, array(op.y, memory), parts});
            if (op.moments)
              launch<finish_moments_kernel>(blocks_for(std::int64_t{rows.n} * k), block_threads, 0, stream, rows, parts,
                                            memory.at<float2>(op.moments));
          },
          scratch.bytes()};
}

template <typename Tile>
Step convolve_gradient(const ConvDataGradient& op, const ConvExtents& extents, void* stream) {
  constexpr int width = Tile::width;
  const bool reads_sources = op.prologue.coefficients || op.prologue.activation != Activation::none;
  const bool doubled = is_doubled(extents, op.prologue);
  const bool in_place = doubled || extents.v.h == extents.in.h;  // nothing is resampled behind the product
  const PixelRows source_rows = pixel_rows(extents.in, Tile::rows),
                  rows = in_place ? source_rows : pixel_rows(extents.v, Tile::rows);
  ScratchLayout scratch;
  const PatchSource source(extents, reads_sources ? op.x0 : In(), reads_sources ? op.x1 : In(), op.prologue, scratch);
  const TapWeights weights(op.weight, doubled, element_of<typename Tile::Element>(), TapOrder::rows, scratch);
  const auto dv_slot = scratch.add<float>(in_place ? 0 : extents.v.elements());
  const auto parts_slot = op.sums ? add_parts<float2>(source_rows, extents.in.c, scratch) : Slot<float2>();
  const auto r = doubled ? 4 : static_cast<int>(extents.size.r), stride = static_cast<int>(extents.size.stride),
             before = doubled ? 2 : static_cast<int>(extents.size.before), k = static_cast<int>(extents.size.k),
             c = static_cast<int>(extents.size.c), depth = r * r * k;
  return {[=](const Memory& memory) {
            const Source<width> to = source.unfiltered<width>(memory);
            const Array dz = array(op.dz, memory);
            const StatisticsOfGroups statistics = statistics_of(op.prologue, c, memory);
            const PartSums parts{op.sums ? parts_slot.in(memory) : nullptr, source_rows.parts_of_image(), c};
            const GradientPatches<width, Along::k> dy{const_array(op.dy, memory),
                                                      rows,
                                                      static_cast<int>(extents.out.h),
                                                      static_cast<int>(extents.out.w),
                                                      k,
                                                      r,
                                                      stride,
                                                      before,
                                                      doubled ? 2 : 1};
            const TurnedWeights<width> weight{weights.make(stream, memory), k, r * r, c};
            const ProductSize size{rows.rows(), c, depth, depth};
            if (in_place) {
              product<Tile>(stream, size, dy, weight,
                            StoreGradient<width>{rows, Tile::columns, to, statistics, op.scale, dz, parts});
            } else {
              float* const dv = dv_slot.in(memory);
              product<Tile>(stream, size, dy, weight, StorePixels<width>{rows, c, Tile::columns, dv});
              launch<reverse_kernel<width>>(blocks_for(extents.in.elements() / width), block_threads, 0, stream, to,
                                            op.prologue.resample, filter_of(op.prologue.resample), ConstArray{dv},
                                            to.v_h, to.v_w, op.scale, dz);
              if (op.sums)
                sum_parts(stream, source_rows, GradientOfNorm<width>{to, {dz.data, dz.element}, statistics}, parts);
            }
            if (op.sums)
              launch<finish_sums_kernel>(blocks_for(std::int64_t{rows.n} * c), block_threads, 0, stream, source_rows,
                                         parts, statistics, memory.at<float2>(op.sums));
          },
          scratch.bytes()};
}

/// dweight (+)= scale times the sum of its parts, in their order.
__global__ void __launch_bounds__(block_threads)
    add_parts_kernel(std::int64_t count, int parts, const float* sums, float scale, Mode mode, float* dweight) {
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    float sum = 0;
    for (int part = 0; part < parts; ++part) sum += sums[part * count + i];
    dweight[i] = scale * sum + (mode == Mode::accumulate ? dweight[i] : 0);
  }
}

/// In how many parts the pixels are taken: enough for two blocks on each multiprocessor of an H100, but not so short
/// that their sums cost more than they do.
template <typename Tile>
int pixels_of_part(std::int64_t rows, std::int64_t columns, std::int64_t pixels) {
  const std::int64_t blocks = (rows + Tile::rows - 1) / Tile::rows * ((columns + Tile::columns - 1) / Tile::columns);
  const std::int64_t parts = std::clamp<std::int64_t>(2 * 132 / blocks, 1, std::max<std::int64_t>(pixels / 512, 1));
  return static_cast<int>(((pixels + parts - 1) / parts + Tile::depth - 1) / Tile::depth * Tile::depth);
}

/// The product [rows,columns] of a weight gradient, over pixels in parts whose sums lie one behind the other.
template <typename Tile>
class ProductOfPixels {
 public:
  ProductOfPixels(int rows, int columns, int pixels, ScratchLayout& scratch)
      : size_{rows, columns, pixels, pixels_of_part<Tile>(rows, columns, pixels)},
        sums_(scratch.add<float>(std::int64_t{parts()} * rows * columns)) {}
  int parts() const { return (size_.k + size_.k_of_part - 1) / size_.k_of_part; }

  /// The sums of all parts.
  template <typename A, typename B>
  const float* run(void* stream, const Memory& memory, const A& a, const B& b) const {
    float* const sums = sums_.in(memory);
    product<Tile>(stream, size_, a, b,
                  StoreMatrix<Tile::width>{.size = {size_.rows, size_.columns, Tile::rows, Tile::columns},
                                           .to = {sums},
                                           .stride = size_.columns,
                                           .part_stride = std::int64_t{size_.rows} * size_.columns});
    return sums;
  }

 private:
  ProductSize size_;
  Slot<float> sums_;
};

template <int width, typename Tile>
Step convolve_weight_gradient(const ConvWeightGradient& op, const ConvExtents& extents, void* stream) {
  ScratchLayout scratch;
  const PatchSource source(extents, op.x0, op.x1, op.prologue, scratch);
  const auto r = static_cast<int>(extents.size.r), stride = static_cast<int>(extents.size.stride),
             before = static_cast<int>(extents.size.before), k = static_cast<int>(extents.size.k),
             columns = r * r * static_cast<int>(extents.size.c);
  const PixelRows pixels = pixels_in_order(extents.out);
  const ProductOfPixels<Tile> multiply(k, columns, pixels.rows(), scratch);
  const ColumnSums column_sums(pixel_rows(extents.out, ColumnSums::block_rows), k, scratch);
  return {[=](const Memory& memory) {
            const ConstArray dy = const_array(op.dy, memory);
            const float* const sums = multiply.run(
                stream, memory, Matrix<Tile::width, Along::rows>{dy, pixels.rows(), k, k},
                Patches<width, Along::rows>{source.make<width>(stream, memory), pixels, r, stride, before});
            launch<add_parts_kernel>(blocks_for(std::int64_t{k} * columns), block_threads, 0, stream,
                                     std::int64_t{k} * columns, multiply.parts(), sums, op.scale, op.mode,
                                     memory.at<float>(op.dweight));
            column_sums.run(stream, memory, dy, op.scale, op.mode, memory.at<float>(op.dembedding),
                            memory.at<float>(op.dbias));
          },
          scratch.bytes()};
}

/// Of a doubled image: ds from dy's pixels around each of u, and dweight from that.
template <int width, typename Tile>
Step convolve_doubled_weight_gradient(const ConvWeightGradient& op, const ConvExtents& extents, void* stream) {
  ScratchLayout scratch;
  const PatchSource source(extents, op.x0, op.x1, op.prologue, scratch);
  const auto k = static_cast<int>(extents.size.k), c = static_cast<int>(extents.size.c);
  const PixelRows pixels = pixels_in_order(extents.in);
  const ProductOfPixels<Tile> multiply(16 * k, c, pixels.rows(), scratch);
  const ColumnSums column_sums(pixel_rows(extents.out, ColumnSums::block_rows), k, scratch);
  return {[=](const Memory& memory) {
            const ConstArray dy = const_array(op.dy, memory);
            const float* const sums =
                multiply.run(stream, memory,
                             GradientPatches<Tile::width, Along::rows>{.dy = dy,
                                                                       .rows = pixels,
                                                                       .y_h = static_cast<int>(extents.out.h),
                                                                       .y_w = static_cast<int>(extents.out.w),
                                                                       .k = k,
                                                                       .r = 4,
                                                                       .stride = 1,
                                                                       .before = 2,
                                                                       .step = 2},
                             Patches<width, Along::rows>{source.make<width>(stream, memory), pixels, 1, 1, 0});
            launch<fold_weights_kernel>(blocks_for(std::int64_t{9} * k * c), block_threads, 0, stream, k, c,
                                        multiply.parts(), sums, op.scale, op.mode, memory.at<float>(op.dweight));
            column_sums.run(stream, memory, dy, op.scale, op.mode, memory.at<float>(op.dembedding),
                            memory.at<float>(op.dbias));
          },
          scratch.bytes()};
}

}  // namespace

template <>
Step prepare(const Conv& op, const GpuContext& context) {
  const ConvExtents extents(op.x0, op.weight, op.y, op.prologue.resample);
  check_epilogue(op, extents.out);
  check_prologue(extents.in, op.x0, op.x1, op.prologue);
  if (Step step = convolve_by_library(op, extents, context); step.run) return step;
  const std::int64_t c0 = channels_of(op.x0), c1 = channels_of(op.x1), k = extents.out.c,
                     taps = is_doubled(extents, op.prologue) ? 4 : extents.size.r * extents.size.r;
  if (by_tensor_cores({op.x0, op.y}, {c0, c1, k}))
    return with_mma_tile(context, {"Conv", pixels_in_order(extents.out).rows(), k, taps * (c0 + c1)}, [&](auto tile) {
      return convolve<group, typename decltype(tile)::type>(op, extents, context.stream);
    });
  if (k <= few && are_groups({c0, c1})) return convolve<group, FewColumns>(op, extents, context.stream);
  return with_groups({c0, c1}, [&](auto width) { return convolve<width, FloatTile>(op, extents, context.stream); });
}

template <>
Step prepare(const ConvDataGradient& op, const GpuContext& context) {
  const ConvExtents extents(op.dz, op.weight, op.dy, op.prologue.resample);
  ensure(op.dz.shape[3] == extents.in.c, "a convolution's data gradient has the source's channels");
  ensure(bool(op.sums) == bool(op.prologue.coefficients), "the sums belong to a norm");
  if (Step step = convolve_gradient_by_library(op, extents, context); step.run) return step;
  const bool doubled = is_doubled(extents, op.prologue);
  const std::int64_t c = extents.in.c, c1 = channels_of(op.x1), k = extents.out.c,
                     taps = doubled ? 16 : extents.size.r * extents.size.r,
                     pixels = pixels_in_order(doubled ? extents.in : extents.v).rows();
  if (by_tensor_cores({op.dy, op.dz}, {c, c1, k}))
    return with_mma_tile(context, {"ConvDataGradient", pixels, c, taps * k}, [&](auto tile) {
      return convolve_gradient<typename decltype(tile)::type>(op, extents, context.stream);
    });
  return c <= few ? convolve_gradient<FewColumns>(op, extents, context.stream)
                  : convolve_gradient<FloatTile>(op, extents, context.stream);
}

template <>
Step prepare(const ConvWeightGradient& op, const GpuContext& context) {
  const ConvExtents extents(op.x0, op.dweight, op.dy, op.prologue.resample);
  check_prologue(extents.in, op.x0, op.x1, op.prologue);
  check_bias_gradient(op, extents.out);
  if (Step step = convolve_weight_gradient_by_library(op, extents, context); step.run) return step;
  const std::int64_t c0 = channels_of(op.x0), c1 = channels_of(op.x1), k = extents.out.c;
  if (is_doubled(extents, op.prologue)) {
    if (by_tensor_cores({op.dy, op.x0}, {c0, c1, k}))
      return with_mma_tile(
          context, {"ConvWeightGradient", 16 * k, c0 + c1, pixels_in_order(extents.in).rows()}, [&](auto tile) {
            return convolve_doubled_weight_gradient<group, typename decltype(tile)::type>(op, extents, context.stream);
          });
    return with_groups({c0, c1}, [&](auto width) {
      return convolve_doubled_weight_gradient<width, FloatTile>(op, extents, context.stream);
    });
  }
  if (by_tensor_cores({op.dy, op.x0}, {c0, c1, k}))
    return with_mma_tile(
        context, {"ConvWeightGradient", k, op.dweight.shape.elements() / k, pixels_in_order(extents.out).rows()},
        [&](auto tile) {
          return convolve_weight_gradient<group, typename decltype(tile)::type>(op, extents, context.stream);
        });
  if (k <= few && are_groups({c0, c1})) return convolve_weight_gradient<group, FewRows>(op, extents, context.stream);
  return with_groups(
      {c0, c1}, [&](auto width) { return convolve_weight_gradient<width, FloatTile>(op, extents, context.stream); });
}

}  // namespace kernels::BACKEND
