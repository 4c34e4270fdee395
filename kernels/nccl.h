// NCCL, found when it is asked for and without its header: sums over the ranks from GPU to GPU.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "kernels/collectives.h"
#include "kernels/device.h"

namespace kernels::nccl {

/// What NCCL's C interface (nccl.h) passes, in its values and sizes.
using Result = int;
inline constexpr Result success = 0, in_progress = 7;
enum class DataType : int { float32 = 7 };
enum class Operation : int { sum = 0 };
using Comm = void*;
using Stream = void*;
struct UniqueId {
  char internal[128];
};

/// The functions that are used of it.
struct Calls {
  std::function<Result(int* version)> get_version;
  std::function<Result(UniqueId*)> get_unique_id;
  std::function<Result(Comm*, int ranks, UniqueId, int rank)> init_rank;
  std::function<Result(Comm)> abort;
  std::function<Result(Comm, Result*)> get_async_error;
  std::function<const char*(Result)> error_text;
  std::function<const char*(Comm)> last_error;
  std::function<Result()> group_start, group_end;
  std::function<Result(const void* from, void* to, std::size_t, DataType, Operation, Comm, Stream)> all_reduce;
  std::function<Result(const void* from, void* to, std::size_t, DataType, Operation, int root, Comm, Stream)> reduce;
  std::function<Result(const void* from, void* to, std::size_t, DataType, int root, Comm, Stream)> broadcast;
  std::function<Result(const void* from, std::size_t, DataType, int to, Comm, Stream)> send;
  std::function<Result(void* to, std::size_t, DataType, int from, Comm, Stream)> receive;
};

/// Of libnccl.so.2. Throws InputError, one line, where it is not found or lacks one of them.
Calls load();

/// The name of a new set of ranks, to be made by one of them and given to all. Throws RunError.
UniqueId make_id(const Calls& calls);

/// Joins this rank to a set of `size`; collective. The device must have a side stream. Everything runs there, in the
/// order of the calls, and is part of a graph that is captured meanwhile. While the device waits, failures are looked
/// for, and `waiting` is told for how long. Its end is not collective.
std::unique_ptr<Collectives> connect(Calls calls, std::shared_ptr<Device> device, const UniqueId& id, int rank,
                                     int size, std::function<void(double seconds)> waiting);

}  // namespace kernels::nccl
