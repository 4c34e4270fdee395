// Barriers, shuffles, votes and reductions, as CUDA names them.
#pragma once

#include <concepts>
#include <type_traits>

#include "kernels/simt/block.h"

namespace kernels::simt {

inline int lane() {
  return static_cast<int>(running->thread().lane());
}

/// `value` of lane `source`, for each lane of the mask.
template <typename T>
T shuffle(unsigned mask, T value, int source, Place place) {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "what CUDA's shuffles take");
  struct Lane {
    T in, out;
    unsigned source;
  } mine{value, value, static_cast<unsigned>(source)};
  running->meet(
      mask,
      [](const Lanes& lanes) {
        lanes.template each<Lane>([&](unsigned number, Lane& lane) {
          if (!lanes.has(lane.source))
            throw Error(fmt::format("lane {} reads lane {}, which is not in the mask", number, lane.source));
          lane.out = lanes.template at<Lane>(lane.source).in;
        });
      },
      &mine, place);
  return mine.out;
}

/// f over the values of the mask's lanes, for each of them.
template <typename F, typename T>
T reduce(unsigned mask, T value, Place place) {
  struct Lane {
    T in, out;
  } mine{value, value};
  running->meet(
      mask,
      [](const Lanes& lanes) {
        T all{};
        bool first = true;
        lanes.template each<Lane>([&](unsigned, Lane& lane) {
          all = first ? lane.in : F{}(all, lane.in);
          first = false;
        });
        lanes.template each<Lane>([&](unsigned, Lane& lane) { lane.out = all; });
      },
      &mine, place);
  return mine.out;
}

struct Sum {
  template <typename T>
  T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {
  template <typename T>
  T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
struct Smaller {
  template <typename T>
  T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

}  // namespace kernels::simt

namespace kernels::emulated {

using simt::Place;

inline void __syncthreads(Place place = Place::current()) {
  simt::running->wait_for_all(false, place);
}
inline int __syncthreads_count(int predicate, Place place = Place::current()) {
  return simt::running->wait_for_all(predicate != 0, place);
}
inline int __syncthreads_or(int predicate, Place place = Place::current()) {
  return simt::running->wait_for_all(predicate != 0, place) != 0;
}
inline int __syncthreads_and(int predicate, Place place = Place::current()) {
  return simt::running->wait_for_all(predicate == 0, place) == 0;
}
inline void __syncwarp(unsigned mask = ~0u, Place place = Place::current()) {
  simt::running->meet(mask, nullptr, nullptr, place);
}

// The emulation runs one thread at a time: every access is seen by all at once, and a missing fence is not.
inline void __threadfence() {}
inline void __threadfence_block() {}

/// A section of `width` lanes, a power of two, is like a warp of its own; beyond its ends a lane reads itself.
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, Place place = Place::current()) {
  return simt::shuffle(mask, value, (simt::lane() & ~(width - 1)) | (source & (width - 1)), place);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, Place place = Place::current()) {
  const int source = simt::lane() ^ bits;
  return simt::shuffle(mask, value, source > (simt::lane() | (width - 1)) ? simt::lane() : source, place);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, Place place = Place::current()) {
  const int source = simt::lane() + static_cast<int>(delta);
  return simt::shuffle(mask, value, source > (simt::lane() | (width - 1)) ? simt::lane() : source, place);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, Place place = Place::current()) {
  const int source = simt::lane() - static_cast<int>(delta);
  return simt::shuffle(mask, value, source < (simt::lane() & ~(width - 1)) ? simt::lane() : source, place);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, Place place = Place::current()) {
  return simt::reduce<simt::Sum>(mask, predicate != 0 ? 1u << simt::lane() : 0u, place);
}
inline int __any_sync(unsigned mask, int predicate, Place place = Place::current()) {
  return __ballot_sync(mask, predicate, place) != 0;
}
inline int __all_sync(unsigned mask, int predicate, Place place = Place::current()) {
  return __ballot_sync(mask, predicate == 0, place) == 0;
}
// Integers only, as on the device.
template <std::integral T>
T __reduce_add_sync(unsigned mask, T value, Place place = Place::current()) {
  return simt::reduce<simt::Sum>(mask, value, place);
}
template <std::integral T>
T __reduce_max_sync(unsigned mask, T value, Place place = Place::current()) {
  return simt::reduce<simt::Larger>(mask, value, place);
}
template <std::integral T>
T __reduce_min_sync(unsigned mask, T value, Place place = Place::current()) {
  return simt::reduce<simt::Smaller>(mask, value, place);
}
/// Which lanes have not exited: as good as any answer that the device may give.
inline unsigned __activemask() {
  return simt::running->lanes_alive();
}

}  // namespace kernels::emulated
