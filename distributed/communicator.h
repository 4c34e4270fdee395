// How the ranks of a run speak to each other: typed collectives on spans, alone or over MPI.
#pragma once

#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/collectives.h"

namespace distributed {

/// Exit status of a run that waited for a rank in vain.
inline constexpr int exit_rank_missing = 6;

enum class Combine { sum, min, max };

/// Every call is collective unless it says otherwise: all ranks make the same calls in the same order, from one thread.
/// A failed call throws kernels::RunError naming the rank, its node, the operation and the caller's place.
/// No destructor communicates: call finish() at a good end, abort() at a bad one.
class Communicator {
 public:
  using Place = std::source_location;

  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// The host this rank runs on.
  virtual const std::string& node() const = 0;
  /// "rank 2 of 4 on node17", for messages. Not collective.
  std::string name() const;

  /// Combines `values` element by element over the ranks, in place. T: double, float, std::int64_t. The order of a sum
  /// of floating-point numbers depends on the number of ranks.
  template <typename T>
  void all_reduce(std::span<T> values, Combine how, Place place = Place::current()) {
    reduce_buffer(buffer(values), how, place);
  }

  /// Gives every rank the root's `values`. T: double, float, std::int64_t, char.
  template <typename T>
  void broadcast(std::span<T> values, int root, Place place = Place::current()) {
    broadcast_buffer(buffer(values), root, place);
  }
  /// Gives every rank the root's text, of any length.
  void broadcast(std::string& text, int root, Place place = Place::current());

  /// Puts the ranks' pieces one after another into `all` of every rank; `counts[r]` elements come from rank r. `mine`
  /// may be its own place inside `all`. T: double, float, std::int64_t, char.
  template <typename T>
  void all_gather(std::span<const T> mine, std::span<T> all, std::span<const std::int64_t> counts,
                  Place place = Place::current()) {
    all_gather_buffer({const_cast<T*>(mine.data()), std::ssize(mine), type<T>()}, buffer(all), counts, place);
  }
  /// One number, or one text, of every rank.
  std::vector<std::int64_t> all_gather(std::int64_t mine, Place place = Place::current());
  std::vector<std::string> all_gather(const std::string& mine, Place place = Place::current());

  virtual void barrier(Place place = Place::current()) = 0;

  /// Starts the sum over the ranks of `values`, in place: on every rank, or on `root` only (the other ranks keep
  /// theirs); or starts to move pieces. The values must stay untouched until wait() returns.
  virtual void start_all_reduce(std::span<float> values, Place place = Place::current()) = 0;
  virtual void start_reduce(std::span<float> values, int root, Place place = Place::current()) = 0;
  virtual void start_all_to_all(const kernels::Pieces<const float>& send, const kernels::Pieces<float>& receive,
                                Place place = Place::current()) = 0;
  /// Lets started collectives go on: without it they hardly overlap with computation. Not collective.
  virtual void progress(Place place = Place::current()) = 0;
  /// Returns when every started collective is complete.
  virtual void wait(Place place = Place::current()) = 0;

  /// From now on a rank for which the others wait longer than this, in seconds, ends the run: the error names it. 0:
  /// they wait for ever, as ranks of one process do.
  virtual void set_patience(double seconds);
  /// To be called while something waits for other ranks that is not a call of this: after so many seconds it throws as
  /// such a call would. Not collective.
  virtual void waiting(double seconds, const char* what, Place place = Place::current());

  /// Ends all ranks with `status`. Not collective.
  [[noreturn]] virtual void abort(int status) = 0;
  /// Closes the connection; the last call.
  virtual void finish(Place place = Place::current()) = 0;

 protected:
  enum class Type { float64, float32, int64, character };
  struct Buffer {
    void* data;
    std::int64_t count;
    Type type;
  };
  virtual void reduce_buffer(Buffer values, Combine how, Place place) = 0;
  virtual void broadcast_buffer(Buffer values, int root, Place place) = 0;
  virtual void all_gather_buffer(Buffer mine, Buffer all, std::span<const std::int64_t> counts, Place place) = 0;

 private:
  template <typename T>
  static constexpr Type type() {
    if constexpr (std::is_same_v<T, double>) return Type::float64;
    if constexpr (std::is_same_v<T, float>) return Type::float32;
    if constexpr (std::is_same_v<T, std::int64_t>) return Type::int64;
    if constexpr (std::is_same_v<T, char>) return Type::character;
  }
  template <typename T>
  static Buffer buffer(std::span<T> values) {
    return {values.data(), std::ssize(values), type<T>()};
  }
};

/// MPI where a launcher (mpirun, srun) started this process, alone otherwise. Throws InputError where the launcher
/// started more processes than MPI connects: each would take itself for the whole run.
std::unique_ptr<Communicator> make_communicator();
std::unique_ptr<Communicator> make_solo_communicator();
/// Calls MPI_Init_thread (FUNNELED); at most once in a process.
std::unique_ptr<Communicator> make_mpi_communicator();

}  // namespace distributed
