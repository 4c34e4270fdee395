// In which type each activation is stored: decided for a device, after a model was recorded.
#pragma once

#include "core/program/program.h"

namespace core::program {

enum class Storage : std::uint8_t { f32, bf16 };

/// With Storage::bf16 the program with its large activations as bf16: images [n,h,w,c] with
/// c a multiple of 8 that no record but those which take bf16 reads or writes (kernels/narrow_operands.h). Inputs,
/// outputs, parameters, gradients, statistics and all other tensors stay as they are. With Storage::f32 the program
/// itself.
Program stored(Program program, Storage storage);

}  // namespace core::program
