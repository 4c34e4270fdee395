#include "kernels/conv.h"

#include "kernels/gpu_conv_library.h"
#include "kernels/gpu_conv_weight_gradient.h"

namespace kernels::BACKEND {
namespace {

/// moments[n,c,2] from the parts that StoreOutput leaves.
__global__ void __launch_bounds__(block_threads)
    finish_moments_kernel(PixelRows rows, PartMoments parts, float2* moments) {
  for (std::int64_t i = first_item(); i < static_cast<std::int64_t>(rows.n) * parts.channels; i += item_stride()) {
    Moments all;
    for (int part = 0; part < parts.parts; ++part)
      all.add(parts.at(static_cast<int>(i) / parts.channels, part, static_cast<int>(i) % parts.channels),
              rows.pixels_of_part(part % rows.parts_of_image()));
    moments[i] = make_float2(all.mean(), all.variance());
  }
}

/// sums[n,c,2] of dz and dz (x - mean)/std from the parts, which lack 1/std.
__global__ void __launch_bounds__(block_threads)
    finish_sums_kernel(PixelRows rows, PartSums parts, StatisticsOfGroups statistics, float2* sums) {
  for (std::int64_t i = first_item(); i < static_cast<std::int64_t>(rows.n) * parts.channels; i += item_stride()) {
    const int image = static_cast<int>(i) / parts.channels, c = static_cast<int>(i) % parts.channels;
    const TwoSums all = combined_sums(parts, image, c);
    sums[i] = make_float2(static_cast<float>(all.first), static_cast<float>(all.second * statistics.at(image, c).y));
  }
}

template <typename Tile>
constexpr Element panels_of = element_of<typename Tile::Element>();

template <int width, typename Tile>
Step convolve(const Conv& op, const ConvExtents& extents, void* stream) {
  const bool doubled = is_doubled(extents, op.prologue);
  const Phases phases{doubled ? 2 : 1};
  const PixelRows rows = pixel_rows(doubled ? extents.in : extents.out, Tile::rows);
  ScratchLayout scratch;
  const PatchSource source(extents, op.x0, op.x1, op.prologue, scratch);
  const TapWeights weights(op.weight, doubled, panels_of<Tile>, TapWeights::Turned::no, scratch);
  const auto parts_slot =
      op.moments ? add_parts<PivotedSums>(rows, phases.count() * extents.out.c, scratch) : Slot<PivotedSums>();
  const auto r = doubled ? 2 : static_cast<int>(extents.size.r), stride = static_cast<int>(extents.size.stride),
             before = static_cast<int>(extents.size.before), k = static_cast<int>(extents.size.k),
             c = static_cast<int>(extents.size.c);
  const SummedTaps<Tile> taps(r, c);
  return {[=](const Memory& memory) {
            const PartMoments parts{op.moments ? parts_slot.in(memory) : nullptr,
                                    phases.count() * rows.parts_of_image(), k};
            product<Tile>(stream, {rows.rows(), k, taps.count, taps.count, phases.count()},
                          Patches<width, Along::k, SummedTaps<Tile>>{source.make<width>(stream, memory), rows, taps,
                                                                     stride, before, phases},
                          Weights<width, SummedTaps<Tile>>{weights.make(stream, memory), k, c, taps, phases.count()},
                          StoreOutput<Tile::width, Tile::columns>{
                              rows, phases, k, memory.at<const float>(op.bias), memory.at<const float>(op.embedding),
                              const_array(op.residual, memory), op.scale, array(op.y, memory), parts});
            if (op.moments)
              launch<finish_moments_kernel>(blocks_for(std::int64_t{rows.n} * k), block_threads, 0, stream, rows, parts,
                                            memory.at<float2>(op.moments));
          },
          scratch.bytes()};
}

template <typename Tile, bool strided>
Step convolve_gradient(const ConvDataGradient& op, const ConvExtents& extents, void* stream) {
  constexpr int width = Tile::width;
  const bool reads_sources = op.prologue.coefficients || op.prologue.activation != Activation::none;
  const bool doubled = is_doubled(extents, op.prologue);
  const bool in_place = doubled || extents.v.h == extents.in.h;  // nothing is resampled behind the product
  const PixelRows source_rows = pixel_rows(extents.in, Tile::rows),
                  rows = in_place ? source_rows : pixel_rows(extents.v, Tile::rows);
  ScratchLayout scratch;
  const ConvSources source(extents, reads_sources ? op.x0 : In(), reads_sources ? op.x1 : In(), op.prologue);
  const TapWeights weights(op.weight, doubled, panels_of<Tile>, TapWeights::Turned::yes, scratch);
  const auto dv_slot = scratch.add<float>(in_place ? 0 : extents.v.elements());
  const auto parts_slot = op.sums ? add_parts<float2>(source_rows, extents.in.c, scratch) : Slot<float2>();
  const auto r = doubled ? 4 : static_cast<int>(extents.size.r), stride = static_cast<int>(extents.size.stride),
             before = doubled ? 2 : static_cast<int>(extents.size.before), k = static_cast<int>(extents.size.k),
             c = static_cast<int>(extents.size.c);
  const SummedTaps<Tile> taps(r, k);
  return {[=](const Memory& memory) {
            const Source<width> to = source.as_read<width>(memory);
            const Array dz = array(op.dz, memory);
            const StatisticsOfGroups statistics = statistics_of(op.prologue, c, memory);
            const PartSums parts{op.sums ? parts_slot.in(memory) : nullptr, source_rows.parts_of_image(), c};
            const GradientPatches<width, Along::k, SummedTaps<Tile>, strided> dy{const_array(op.dy, memory),
                                                                                 rows,
                                                                                 static_cast<int>(extents.out.h),
                                                                                 static_cast<int>(extents.out.w),
                                                                                 k,
                                                                                 taps,
                                                                                 stride,
                                                                                 before,
                                                                                 doubled ? 2 : 1};
            const Weights<width, SummedTaps<Tile>> weight{weights.make(stream, memory), c, k, taps};
            const ProductSize size{rows.rows(), c, taps.count, taps.count};
            if (in_place) {
              product<Tile>(stream, size, dy, weight,
                            StoreGradient<width, Tile::columns>{rows, to, statistics, op.scale, dz, parts});
            } else {
              float* const dv = dv_slot.in(memory);
              product<Tile>(stream, size, dy, weight, StorePixels<width, Tile::columns>{rows, c, dv});
              reverse_resized(stream, to, op.prologue.resample, ConstArray{dv}, op.scale, dz);
              if (op.sums)
                sum_parts(stream, source_rows, GradientOfNorm<width>{to, {dz.data, dz.element}, statistics}, parts);
            }
            if (op.sums)
              launch<finish_sums_kernel>(blocks_for(std::int64_t{rows.n} * c), block_threads, 0, stream, source_rows,
                                         parts, statistics, memory.at<float2>(op.sums));
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
  const auto with_tile = [&]<typename Tile>(std::type_identity<Tile>) {
    return extents.size.stride > 1 ? convolve_gradient<Tile, true>(op, extents, context.stream)
                                   : convolve_gradient<Tile, false>(op, extents, context.stream);
  };
  if (by_tensor_cores({op.dy, op.dz}, {c, c1, k}))
    return with_mma_tile(context, {"ConvDataGradient", pixels, c, taps * k}, with_tile);
  return c <= few ? with_tile(std::type_identity<FewColumns>{}) : with_tile(std::type_identity<FloatTile>{});
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
