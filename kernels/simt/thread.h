// A thread of the running block, and what a warp does together.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/simt/async_copy.h"
#include "kernels/simt/fibre.h"
#include "kernels/simt/place.h"
#include "kernels/simt/types.h"

namespace kernels::simt {

/// The lanes of a warp in one collective call, and what each of them brought.
struct Lanes {
  unsigned mask;
  std::array<void*, 32>& arguments;

  /// Calls f(lane, argument) for each lane of the mask.
  template <typename T, typename F>
  void each(const F& f) const {
    for (unsigned lane = 0; lane < 32; ++lane)
      if (has(lane)) f(lane, at<T>(lane));
  }
  template <typename T>
  T& at(unsigned lane) const {
    return *static_cast<T*>(arguments[lane]);
  }
  bool has(unsigned lane) const { return (mask >> lane & 1) != 0; }
};

/// What the lanes compute once all of them have come; null: nothing, they only wait for each other.
using Collective = void (*)(const Lanes&);

struct Thread {
  enum class State : std::uint8_t { unstarted, running, at_barrier, in_collective, exited };

  emulated::uint3 index;
  unsigned number = 0;  // in the block, x fastest
  State state = State::unstarted;
  Fibre* fibre = nullptr;
  Place place;             // where it waits
  bool predicate = false;  // its vote at a barrier
  unsigned mask = 0;       // of its collective
  Collective collective = nullptr;
  AsyncCopies copies;

  unsigned lane() const { return number % 32; }
};

}  // namespace kernels::simt
