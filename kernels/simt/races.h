// Looks for data races: two accesses to a byte in one launch, not both reads nor both atomic, with nothing between them
// that makes the one wait for the other. What it finds does not depend on the order in which the threads ran.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace kernels::simt {

enum class Access : std::uint8_t { read, write, atomic_read, atomic_write };

/// Told of each access by the hooks that -fsanitize=thread compiles in (thread_hooks.cpp). Threads of one block wait
/// for each other at barriers, lanes of one warp also at __syncwarp() of all; blocks never do. One other reader of a
/// byte is remembered, so that a third access may hide a race. Copies of memory by memcpy are not seen.
class Races {
 public:
  /// What lies in `ignored` (the threads' own stacks) is of no interest.
  explicit Races(std::span<const std::byte> ignored) : ignored_(ignored) {}

  void begin_launch();
  void begin_block(std::string name);
  /// From here to leave() the accesses are those of a thread.
  void enter(unsigned thread) { thread_ = thread; }
  void leave() { thread_ = nobody; }
  void pass_barrier() { ++epoch_; }
  void pass_warp_barrier(unsigned warp) { ++warp_epochs_[warp]; }
  /// Says that these bytes belong to the block alone.
  void add_shared(std::span<const std::byte> bytes) { shared_.push_back(bytes); }
  void access(const void* address, std::size_t bytes, Access access, const void* instruction);

  /// A line for each pair of places that raced in this launch.
  const std::vector<std::string>& found() const { return found_; }

 private:
  static constexpr unsigned nobody = ~0u;
  struct Stamp {
    std::uint32_t epoch = 0;  // of all barriers since the detector was made; 0: never
    std::uint16_t thread = 0, warp_epoch = 0;
    Access access = Access::read;
    std::int32_t instruction = 0;  // from an address in the program
  };
  struct Cell {
    Stamp write, read, other_read;  // the last ones
  };
  /// Of 1024 bytes: a cell for each four of them, and for each byte once some are accessed apart.
  struct Page {
    static constexpr std::size_t size = 1024;
    std::array<Cell, size / 4> words;
    std::unique_ptr<std::array<Cell, size>> bytes;
  };

  Page& page_of(std::uintptr_t address);
  void record(Cell& cell, const Stamp& now, bool shared);
  bool is_shared(std::uintptr_t address) const;
  bool conflict(const Stamp& before, const Stamp& now, bool shared) const;
  void report(const Stamp& before, const Stamp& now, bool shared);
  std::string text(const Stamp& stamp) const;

  std::span<const std::byte> ignored_;
  std::vector<std::span<const std::byte>> shared_;
  std::unordered_map<std::uintptr_t, Page> pages_;
  struct Recent {
    std::uintptr_t number = 0;
    Page* page = nullptr;
  };
  std::array<Recent, 64> recent_;  // pages, by the last digits of their numbers

  unsigned thread_ = nobody;
  std::uint32_t epoch_ = 0;
  std::array<std::uint16_t, 32> warp_epochs_{};
  struct Block {
    std::uint32_t first_epoch;
    std::string name;
  };
  std::vector<Block> blocks_;  // of this launch, as they ran
  std::set<std::pair<std::int32_t, std::int32_t>> known_;
  std::vector<std::string> found_;
};

}  // namespace kernels::simt
