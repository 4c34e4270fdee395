// Steps that every rank does its part of, and that count only where all ranks succeed.
#pragma once

#include <optional>
#include <string>

#include "core/storage/file_io.h"
#include "distributed/communicator.h"
#include "kernels/check.h"

namespace distributed {

/// Why a step failed on the first rank that it failed on; `code` is that of FileError, or unknown_failure.
struct Failure {
  int code;
  std::string text;
};
constexpr int unknown_failure = -1;

/// Of the failures of all ranks the first one's, on every rank. Collective.
std::optional<Failure> first_failure(Communicator& communicator, const std::optional<Failure>& mine);

/// Runs `work`, which must not communicate, on this rank; all ranks return the same. Collective.
template <typename Work>
std::optional<Failure> attempt(Communicator& communicator, Work work) {
  std::optional<Failure> mine;
  try {
    work();
  } catch (const core::storage::FileError& error) {
    mine = Failure{error.code, error.what()};
  } catch (const std::exception& error) {
    mine = Failure{unknown_failure, error.what()};
  }
  return first_failure(communicator, mine);
}

/// The same where only rank 0 has something to do.
template <typename Work>
std::optional<Failure> attempt_on_first(Communicator& communicator, Work work) {
  return attempt(communicator, [&] {
    if (communicator.rank() == 0) work();
  });
}

/// Throws InputError where a text, which says what was wrong on this rank, is not empty on some rank: the first one's,
/// by its rank's name unless all say the same. Collective.
void refuse_any(Communicator& communicator, const std::string& mine);

/// Runs `work`, which must not communicate, and throws on every rank the InputError that it threw on the first rank
/// where it did. Collective.
template <typename Work>
void agree(Communicator& communicator, const Work& work) {
  std::string mine;
  try {
    work();
  } catch (const kernels::InputError& error) {
    mine = error.what();
  }
  refuse_any(communicator, mine);
}

}  // namespace distributed
