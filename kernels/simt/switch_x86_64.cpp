#include <cstdint>

#include "kernels/simt/switch.h"

// A context is a stack pointer; below it lie the six registers that a function must preserve, and where to return.
extern "C" {
void simt_switch_context(void** from, void* to);
void simt_start_context();
}
asm(R"(
.text
.type simt_switch_context, @function
simt_switch_context:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_switch_context, . - simt_switch_context

.type simt_start_context, @function
simt_start_context:
  .cfi_startproc
  .cfi_undefined rip
  movq %r13, %rdi
  call *%r12
  ud2
  .cfi_endproc
.size simt_start_context, . - simt_start_context
)");

namespace kernels::simt {

Context make_context(std::span<std::byte> stack, void (*entry)(void*), void* argument) {
  const auto end = reinterpret_cast<std::uintptr_t>(stack.data() + stack.size()) & ~std::uintptr_t{15};
  auto* const top = reinterpret_cast<void**>(end);
  top[-1] = top[-2] = nullptr;  // a debugger's walk ends here
  top[-3] = reinterpret_cast<void*>(&simt_start_context);
  top[-4] = top[-5] = nullptr;               // rbp, rbx
  top[-6] = reinterpret_cast<void*>(entry);  // r12
  top[-7] = argument;                        // r13
  top[-8] = top[-9] = nullptr;               // r14, r15
  return top - 9;
}

void switch_context(Context& from, Context to) {
  simt_switch_context(&from, to);
}

}  // namespace kernels::simt
