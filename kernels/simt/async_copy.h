// cp.async of one thread: groups of 16-byte copies that may land at any time until they are waited for.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

namespace kernels::simt {

class AsyncCopies {
 public:
  /// Forgets what is under way.
  void reset() {
    if (groups_.size() > 1 || !groups_.back().empty()) groups_.assign(1, {});
  }
  /// From now until its wait the 16 bytes at `to` are NaN, or already those at `from` (zeros where it is null).
  void add(void* to, const void* from);
  void commit() { groups_.emplace_back(); }
  /// Lands all groups but the newest `but`.
  void wait(std::size_t but);

 private:
  struct Copy {
    void* to;
    const void* from;
    bool landed;
  };
  static void land(Copy& copy);

  std::deque<std::vector<Copy>> groups_{1};  // the last one is open
};

}  // namespace kernels::simt
