// The reverse of a program: appends the records that compute gradients.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "core/program/program.h"

namespace core::program {

/// What is known before: d(result)/d(tensor) of some tensor of the program.
struct Seed {
  Tensor tensor, gradient;
};

enum class Recompute : std::uint8_t { keep, segments };

struct DifferentiateOptions {
  kernels::Mode parameter_mode = kernels::Mode::overwrite;  // how parameter gradients are written
  Recompute recompute = Recompute::keep;
};

/// Appends to `program` the records that compute sum over seeds of gradient . d tensor/d w for every tensor w of
/// `with_respect_to`. Parameters get a tensor of Role::gradient named "gradient of NAME", others an activation. Only
/// what the wanted gradients need is recorded. With Recompute::segments the interior activations of each segment are
/// computed again, by the same records, before the segment's reverse. Returns the gradients in the order of
/// `with_respect_to`; a tensor that the seeds do not depend on is an error.
std::vector<Tensor> differentiate(Program& program, std::span<const Seed> seeds,
                                  std::span<const Tensor> with_respect_to, const DifferentiateOptions& options = {});

}  // namespace core::program
