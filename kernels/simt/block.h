// The running block of a launch: its threads take turns on one CPU and wait for each other as on the device.
#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/simt/error.h"
#include "kernels/simt/races.h"
#include "kernels/simt/schedule.h"
#include "kernels/simt/thread.h"
#include "kernels/simt/types.h"
#include "kernels/simt/warp.h"

namespace kernels::simt {

struct Launch {
  std::string_view kernel;  // its name, for messages
  emulated::dim3 grid, block;
  std::size_t shared_bytes = 0;
  std::function<void()> body;  // what each thread does
};

/// The body of the fibres: threads of the running block, one after the other.
void run_threads();

class Block {
 public:
  /// For the blocks of one launch, which run() takes one by one.
  Block(const Launch& launch, Schedule& schedule, Fibres& fibres, Races& races);
  ~Block();
  Block(const Block&) = delete;

  /// Runs all threads of one block to their end. Throws Error where they cannot get there, or where two of them raced.
  void run(emulated::uint3 index);

  // What the running thread calls.

  /// Waits for all threads; returns how many of them voted yes.
  int wait_for_all(bool predicate, const Place& place);
  /// Waits for the lanes of the mask; the last one to come does the collective.
  void meet(unsigned mask, Collective collective, void* argument, const Place& place);
  /// Poisons the array the first time that a thread of this block gets there.
  void declare_shared(void* begin, std::size_t bytes);
  /// The launch's dynamic shared memory.
  void* dynamic_shared();
  Thread& thread() { return *current_; }
  unsigned lanes_alive() const { return warps_[current_->number / 32].alive(); }
  Schedule& schedule() { return schedule_; }
  Races& races() { return races_; }

 private:
  friend void run_threads();

  void begin(emulated::uint3 index);
  /// The thread to run next; null where all that have not exited wait.
  Thread* choose();
  void bind(Thread& thread);
  void exit_current();
  void release(Thread& thread);
  void open_barrier_if_complete();
  [[noreturn]] void report_deadlock() const;
  std::string name() const;

  const Launch& launch_;
  Schedule& schedule_;
  Fibres& fibres_;
  Races& races_;
  emulated::uint3 index_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<std::size_t> starts_;
  std::deque<Thread*> ready_;
  Thread* current_ = nullptr;
  std::size_t started_ = 0, exited_ = 0, at_barrier_ = 0;
  int votes_ = 0;
  std::exception_ptr failure_;

  struct Freed {
    void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t(128)); }
  };
  std::unique_ptr<std::byte, Freed> dynamic_shared_;  // of exactly the launched size: one byte more is seen
  std::vector<std::span<std::byte>> static_shared_;   // declared so far by this block
};

/// The block that runs now, if any: the names that CUDA builds in have no other way to it.
inline thread_local Block* running = nullptr;

}  // namespace kernels::simt
