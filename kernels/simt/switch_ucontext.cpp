#include <ucontext.h>

#include <cstdint>
#include <new>

#include "kernels/simt/switch.h"

namespace kernels::simt {
namespace {

/// makecontext passes ints: a pointer is two of them.
struct Halves {
  unsigned high, low;
  explicit Halves(std::uintptr_t whole)
      : high(static_cast<unsigned>(static_cast<std::uint64_t>(whole) >> 32)), low(static_cast<unsigned>(whole)) {}
};
std::uintptr_t whole(unsigned high, unsigned low) {
  return static_cast<std::uintptr_t>(static_cast<std::uint64_t>(high) << 32 | low);
}

void start(unsigned entry_high, unsigned entry_low, unsigned argument_high, unsigned argument_low) {
  const auto entry = reinterpret_cast<void (*)(void*)>(whole(entry_high, entry_low));
  entry(reinterpret_cast<void*>(whole(argument_high, argument_low)));
}

}  // namespace

Context make_context(std::span<std::byte> stack, void (*entry)(void*), void* argument) {
  auto* const context = new (stack.data()) ucontext_t;  // at the far end of its own stack
  getcontext(context);
  context->uc_stack.ss_sp = stack.data() + sizeof(ucontext_t);
  context->uc_stack.ss_size = stack.size() - sizeof(ucontext_t);
  context->uc_link = nullptr;
  const Halves e(reinterpret_cast<std::uintptr_t>(entry)), a(reinterpret_cast<std::uintptr_t>(argument));
  makecontext(context, reinterpret_cast<void (*)()>(&start), 4, e.high, e.low, a.high, a.low);
  return context;
}

void switch_context(Context& from, Context to) {
  ucontext_t here;  // on the stack that is left, and so alive until it is entered again
  from = &here;
  swapcontext(&here, static_cast<ucontext_t*>(to));
}

}  // namespace kernels::simt
