// What -fsanitize=thread calls before each load and store: linked instead of its own library, it feeds Races.
#include "kernels/simt/block.h"

namespace {

using kernels::simt::Access;

void note(const void* address, std::size_t bytes, Access access, const void* instruction) {
  if (kernels::simt::running) kernels::simt::running->races().access(address, bytes, access, instruction);
}

}  // namespace

extern "C" {
void __tsan_init() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

void __tsan_read1(void* p) {
  note(p, 1, Access::read, __builtin_return_address(0));
}
void __tsan_read2(void* p) {
  note(p, 2, Access::read, __builtin_return_address(0));
}
void __tsan_read4(void* p) {
  note(p, 4, Access::read, __builtin_return_address(0));
}
void __tsan_read8(void* p) {
  note(p, 8, Access::read, __builtin_return_address(0));
}
void __tsan_read16(void* p) {
  note(p, 16, Access::read, __builtin_return_address(0));
}
void __tsan_write1(void* p) {
  note(p, 1, Access::write, __builtin_return_address(0));
}
void __tsan_write2(void* p) {
  note(p, 2, Access::write, __builtin_return_address(0));
}
void __tsan_write4(void* p) {
  note(p, 4, Access::write, __builtin_return_address(0));
}
void __tsan_write8(void* p) {
  note(p, 8, Access::write, __builtin_return_address(0));
}
void __tsan_write16(void* p) {
  note(p, 16, Access::write, __builtin_return_address(0));
}
void __tsan_unaligned_read2(void* p) {
  note(p, 2, Access::read, __builtin_return_address(0));
}
void __tsan_unaligned_read4(void* p) {
  note(p, 4, Access::read, __builtin_return_address(0));
}
void __tsan_unaligned_read8(void* p) {
  note(p, 8, Access::read, __builtin_return_address(0));
}
void __tsan_unaligned_read16(void* p) {
  note(p, 16, Access::read, __builtin_return_address(0));
}
void __tsan_unaligned_write2(void* p) {
  note(p, 2, Access::write, __builtin_return_address(0));
}
void __tsan_unaligned_write4(void* p) {
  note(p, 4, Access::write, __builtin_return_address(0));
}
void __tsan_unaligned_write8(void* p) {
  note(p, 8, Access::write, __builtin_return_address(0));
}
void __tsan_unaligned_write16(void* p) {
  note(p, 16, Access::write, __builtin_return_address(0));
}
void __tsan_read_range(void* p, std::size_t bytes) {
  note(p, bytes, Access::read, __builtin_return_address(0));
}
void __tsan_write_range(void* p, std::size_t bytes) {
  note(p, bytes, Access::write, __builtin_return_address(0));
}
}
