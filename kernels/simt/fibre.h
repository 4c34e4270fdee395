// Flows of control with stacks of their own: the threads of a block take turns on one CPU.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "kernels/simt/switch.h"

namespace kernels::simt {

/// One flow of control. AddressSanitizer, where it is linked, is told of every switch.
class Fibre {
 public:
  /// body() begins at the first resume and must not return.
  Fibre(std::span<std::byte> stack, void (*body)());
  Fibre(const Fibre&) = delete;

  /// Runs the body until it pauses.
  void resume();
  /// Called by the body: back to who resumed it, and on from here when resumed again.
  void pause();
  /// Forgets where the body is: it begins anew at the next resume.
  void reset();

 private:
  static void enter(void* self);

  std::span<std::byte> stack_;
  void (*body_)();
  Context inside_ = nullptr, outside_ = nullptr;
  void *inside_frames_ = nullptr, *outside_frames_ = nullptr;  // AddressSanitizer's, of variables that left their scope
  const void* outside_stack_ = nullptr;
  std::size_t outside_bytes_ = 0;
};

/// As many fibres as a block has threads, all with the same body, made when first needed and used again.
class Fibres {
 public:
  explicit Fibres(void (*body)());
  ~Fibres();
  Fibres(const Fibres&) = delete;

  Fibre* take();
  /// Of a fibre that has paused where its body can take up new work.
  void give_back(Fibre* fibre) { idle_.push_back(fibre); }
  /// Takes all back, wherever they are.
  void reset();

  /// The stacks of all fibres.
  std::span<std::byte> memory() const { return memory_; }

 private:
  void (*body_)();
  std::span<std::byte> memory_;
  std::vector<std::unique_ptr<Fibre>> fibres_;
  std::vector<Fibre*> idle_;
};

}  // namespace kernels::simt
