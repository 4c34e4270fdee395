// Leaving one stack for another, in the middle of a function: switch_x86_64.cpp, or switch_ucontext.cpp on other CPUs.
#pragma once

#include <cstddef>
#include <span>

namespace kernels::simt {

/// Where a stopped flow of control goes on.
using Context = void*;

/// A context that begins with entry(argument) on `stack`; entry must not return.
Context make_context(std::span<std::byte> stack, void (*entry)(void*), void* argument);

/// Stops here, leaves the place in `from`, and goes on at `to`.
void switch_context(Context& from, Context to);

}  // namespace kernels::simt
