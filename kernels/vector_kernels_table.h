// The table of an instruction set: included by the file that is compiled for it, with a type of its own that is one of
// operands (operands.h) and has, by the number of vectors, most_rows of a product whose sums fit the registers.
#pragma once

#include "kernels/winograd_kernels.h"

namespace kernels {

template <typename Isa>
constexpr VectorKernels vector_kernels_for() {
  using namespace winograd;
  return {.lanes = Isa::lanes,
          .values = Isa::values,
          .most_rows = {Isa::most_rows[0], Isa::most_rows[1], Isa::most_rows[2]},
          .multiply = {Multiply<Isa, Adjacent::depth>::run, Multiply<Isa, Adjacent::rows>::run},
          .pack = {pack<Isa, Adjacent::depth>, pack<Isa, Adjacent::rows>},
          .transform_input = {transform_input<Isa, Adjacent::depth>, transform_input<Isa, Adjacent::rows>},
          .transform_output_gradient = transform_output_gradient<Isa>,
          .transform_output = transform_output<Isa>,
          .transform_weights = {transform_weights<Isa, Direction::forward>,
                                transform_weights<Isa, Direction::data_gradient>},
          .transform_weight_gradient = transform_weight_gradient<Isa>};
}

template <typename Isa>
constexpr VectorMaps vector_maps_for() {
  return {.floats = channel_maps<Isa, float>, .bf16 = channel_maps<Isa, Bf16>, .dropout_factors = dropout_factors<Isa>};
}

}  // namespace kernels
