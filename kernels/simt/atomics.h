// Atomic operations, and the loads and stores by which blocks of one launch speak to each other.
#pragma once

#include <type_traits>

#include "kernels/simt/block.h"

namespace kernels::simt {

/// *p = f(*p); returns what was there.
template <typename T, typename F>
[[gnu::noinline, gnu::no_sanitize_thread]] T atomically(T* p, F f) {
  running->races().access(p, sizeof(T), Access::atomic_write, __builtin_return_address(0));
  const T old = *p;
  *p = f(old);
  return old;
}

}  // namespace kernels::simt

namespace kernels::emulated {

template <typename T>
T atomicAdd(T* p, std::type_identity_t<T> value) {
  return simt::atomically(p, [=](T old) { return static_cast<T>(old + value); });
}
template <typename T>
T atomicMax(T* p, std::type_identity_t<T> value) {
  return simt::atomically(p, [=](T old) { return old < value ? value : old; });
}
template <typename T>
T atomicMin(T* p, std::type_identity_t<T> value) {
  return simt::atomically(p, [=](T old) { return value < old ? value : old; });
}
template <typename T>
T atomicExch(T* p, std::type_identity_t<T> value) {
  return simt::atomically(p, [=](T) { return value; });
}
template <typename T>
T atomicCAS(T* p, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  return simt::atomically(p, [=](T old) { return old == compare ? value : old; });
}

// Past the first-level cache: with a fence, what one block of a launch may leave for another.
template <typename T>
[[gnu::noinline, gnu::no_sanitize_thread]] T __ldcg(const T* p) {
  simt::running->races().access(p, sizeof(T), simt::Access::atomic_read, __builtin_return_address(0));
  return *p;
}
template <typename T>
[[gnu::noinline, gnu::no_sanitize_thread]] void __stcg(T* p, std::type_identity_t<T> value) {
  simt::running->races().access(p, sizeof(T), simt::Access::atomic_write, __builtin_return_address(0));
  *p = value;
}

// Hints for the caches.
template <typename T>
T __ldg(const T* p) {
  return *p;
}
template <typename T>
T __ldcs(const T* p) {
  return *p;
}
template <typename T>
void __stcs(T* p, std::type_identity_t<T> value) {
  *p = value;
}

}  // namespace kernels::emulated
