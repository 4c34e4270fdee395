// Runs the same tests on every rank of an MPI job; any rank's failure fails all, and only failures and rank 0 speak.
#include <gtest/gtest.h>

#include "tests/distributed/mpi/world.h"

namespace distributed::testing {
namespace {

std::unique_ptr<Communicator> communicator;

class OnlyFailures final : public ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    fmt::print(stderr, "{}: {}:{}\n{}\n", world().name(), result.file_name() ? result.file_name() : "",
               result.line_number(), result.message());
  }
};

}  // namespace

Communicator& world() {
  return *communicator;
}

}  // namespace distributed::testing

int main(int argc, char** argv) {
  using distributed::testing::communicator;
  communicator = distributed::make_communicator();
  testing::InitGoogleTest(&argc, argv);
  if (communicator->rank() != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new distributed::testing::OnlyFailures);
  }
  try {
    std::int64_t status = RUN_ALL_TESTS();
    communicator->all_reduce(std::span(&status, 1), distributed::Combine::max);
    communicator->finish();
    return static_cast<int>(status);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", communicator->name(), error.what());
    communicator->abort(1);
  }
}
