#include "kernels/simt/fibre.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

extern "C" {
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** frames, const void* stack, std::size_t bytes);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* frames, const void** old_stack, std::size_t* old_bytes);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* begin, std::size_t bytes);
}

namespace kernels::simt {
namespace {

constexpr std::size_t most_fibres = 1024;
/// The odd part spreads the ends of the stacks over the sets of a cache.
constexpr std::size_t stack_bytes = (256 << 10) + 21 * 64;

void before_switch(void** frames, const void* stack, std::size_t bytes) {
  if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(frames, stack, bytes);
}
void after_switch(void* frames, const void** old_stack, std::size_t* old_bytes) {
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(frames, old_stack, old_bytes);
}

}  // namespace

Fibre::Fibre(std::span<std::byte> stack, void (*body)()) : stack_(stack), body_(body) {
  reset();
}

void Fibre::reset() {
  inside_ = make_context(stack_, &enter, this);
}

void Fibre::enter(void* self) {
  auto& fibre = *static_cast<Fibre*>(self);
  after_switch(nullptr, &fibre.outside_stack_, &fibre.outside_bytes_);
  fibre.body_();
  std::abort();
}

void Fibre::resume() {
  before_switch(&outside_frames_, stack_.data(), stack_.size());
  switch_context(outside_, inside_);
  after_switch(outside_frames_, nullptr, nullptr);
}

void Fibre::pause() {
  before_switch(&inside_frames_, outside_stack_, outside_bytes_);
  switch_context(inside_, outside_);
  after_switch(inside_frames_, &outside_stack_, &outside_bytes_);
}

Fibres::Fibres(void (*body)()) : body_(body) {
  constexpr std::size_t bytes = most_fibres * stack_bytes;  // reserved; what is never touched costs nothing
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = {static_cast<std::byte*>(memory), bytes};
}

Fibres::~Fibres() {
  munmap(memory_.data(), memory_.size());
}

Fibre* Fibres::take() {
  if (idle_.empty()) {
    fibres_.push_back(std::make_unique<Fibre>(memory_.subspan(fibres_.size() * stack_bytes, stack_bytes), body_));
    return fibres_.back().get();
  }
  Fibre* const fibre = idle_.back();
  idle_.pop_back();
  return fibre;
}

void Fibres::reset() {
  idle_.clear();
  if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(memory_.data(), fibres_.size() * stack_bytes);
  for (const auto& fibre : fibres_) {
    fibre->reset();
    idle_.push_back(fibre.get());
  }
}

}  // namespace kernels::simt
