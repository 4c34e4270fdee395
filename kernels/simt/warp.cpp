#include "kernels/simt/warp.h"

#include <bit>

#include "kernels/simt/error.h"

namespace kernels::simt {

Warp::Warp(std::span<Thread> lanes) : lanes_(lanes) {
  reset();
}

void Warp::reset() {
  alive_ = existing();
  waiting_ = 0;
}

unsigned Warp::arrive(Thread& thread, void* argument) {
  const unsigned mask = thread.mask &= existing();  // lanes beyond the end of the block do not exist
  const auto fail = [&](const std::string& what) { throw Error(fmt::format("{}: {}", text(thread.place), what)); };
  if ((mask >> thread.lane() & 1) == 0) fail(fmt::format("lane {} is not in the mask it names", thread.lane()));
  if ((mask & ~alive_) != 0)
    fail(fmt::format("the mask names lane {}, which has exited", std::countr_zero(mask & ~alive_)));
  arguments_[thread.lane()] = argument;
  waiting_ |= 1u << thread.lane();
  if ((waiting_ & mask) != mask) return 0;

  unsigned arrived = 0;
  for (const Thread& other : lanes_) {
    if (other.state != Thread::State::in_collective || (mask >> other.lane() & 1) == 0) continue;
    if (other.mask == mask)
      arrived |= 1u << other.lane();
    else if ((other.mask >> thread.lane() & 1) != 0)
      fail(fmt::format("lanes {} and {} wait for each other with different masks", thread.lane(), other.lane()));
  }
  if (arrived != mask) return 0;
  for (const Thread& other : lanes_) {
    if ((mask >> other.lane() & 1) != 0 && (other.collective != thread.collective || !same(other.place, thread.place)))
      fail(fmt::format("lanes of one mask are in different calls, lane {} here and lane {} at {}", thread.lane(),
                       other.lane(), text(other.place)));
  }
  waiting_ &= ~mask;
  if (thread.collective) {
    try {
      thread.collective({mask, arguments_});
    } catch (const Error& error) {
      fail(error.what());
    }
  }
  return mask;
}

void Warp::exit(const Thread& thread) {
  alive_ &= ~(1u << thread.lane());
  if (waiting_ == 0) return;
  for (const Thread& other : lanes_) {
    if (other.state == Thread::State::in_collective && (other.mask >> thread.lane() & 1) != 0)
      throw Error(
          fmt::format("{}: lane {} waits for lane {}, which exits", text(other.place), other.lane(), thread.lane()));
  }
}

}  // namespace kernels::simt
