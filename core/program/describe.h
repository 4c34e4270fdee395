// A program as text for people: what --dry-run prints.
#pragma once

#include <string>

#include "core/program/plan.h"

namespace core::program {

/// Number of parameters' elements: of those that are learned, or of those that are frozen.
std::int64_t parameter_count(const Program& program, Training training = Training::learned);

/// Floating-point operations of one run.
double total_flops(const Program& program);

/// "[16,32,32,3]".
std::string shape_text(const Shape& shape);

/// What a record writes: names and shapes of tensors.
std::string written_by(const Op& op, const Program& program);

/// One line per record (name, what it writes, shape, GFLOP), then parameters, FLOPs, and bytes of weights, gradients,
/// activations as planned and without sharing.
std::string describe(const Program& program, const Plan& plan);

}  // namespace core::program
