// Where in a program other ranks are heard: gradients are exchanged as soon as they are complete.
#pragma once

#include <span>
#include <vector>

#include "core/program/program.h"

namespace core::program {

/// Inserts after the record that completes the last gradient of buckets[k] an Exchange with topic k and the bucket's
/// first tensor, after every other record that writes a gradient an Exchange with topic -1: a moment to let messages
/// move, and at the end one whose topic is the number of buckets.
void insert_exchanges(Program& program, std::span<const std::vector<Tensor>> buckets);

}  // namespace core::program
