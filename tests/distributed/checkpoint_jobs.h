// Whole jobs that save or load checkpoints, with threads as ranks, and what is done to the files between them.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "distributed/checkpoint_store.h"
#include "kernels/check.h"
#include "tests/distributed/checkpoint_cases.h"
#include "tests/distributed/thread_communicator.h"

namespace distributed::testing {

/// Saves each of `steps` on so many ranks.
inline void save_steps(const TestDirectory& directory, const Layout& layout, int ranks,
                       const std::vector<std::int64_t>& steps, int keep = 10) {
  on_ranks(ranks, [&](Communicator& communicator) {
    CheckpointStore store(communicator, directory.path(), identity_of(layout), keep);
    for (const std::int64_t step : steps) {
      EXPECT_EQ(save_step(communicator, store, layout, step).outcome, SaveOutcome::committed);
    }
  });
}

/// Loads and checks what is newest on so many ranks, as a new job; returns its step.
inline std::int64_t load_newest(const TestDirectory& directory, const Layout& layout, int ranks,
                                std::vector<std::string>* notes = nullptr) {
  std::int64_t step = -2;
  on_ranks(ranks, [&](Communicator& communicator) {
    CheckpointStore store(communicator, directory.path(), identity_of(layout), 10);
    const std::int64_t mine = loaded_step(communicator, store, layout, notes);
    if (communicator.rank() == 0) step = mine;
  });
  return step;
}

/// The text of the error that `work` throws.
template <typename Error>
std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// The exit status that `work` asks for.
inline int status_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const kernels::RunError& error) {
    return error.status;
  }
  return 0;
}

/// Changes one bit of a file.
inline void flip_bit(const std::filesystem::path& file, std::int64_t byte) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(byte);
  const int value = stream.get();
  stream.seekp(byte);
  stream.put(static_cast<char>(value ^ 0x10));
  ASSERT_TRUE(stream.good()) << file;
}

}  // namespace distributed::testing
