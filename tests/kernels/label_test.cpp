#include "kernels/label.h"

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;
const std::vector<std::int64_t> labels = {2, 0, 2, 3, 2};
constexpr std::size_t k = 7;

TEST(LabelEmbedding, AddsTheLabelsRow) {
  Arena arena(1);
  const LabelEmbedding op{.x = arena.uniform({5, k}),
                          .labels = arena.integers(labels),
                          .table = arena.uniform({4, k}),
                          .y = arena.uniform({5, k})};
  arena.run(op);
  Values wanted = arena.values(op.x);
  const Values table = arena.values(op.table);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    wanted[i] += table[static_cast<std::size_t>(labels[i / k]) * k + i % k];
  expect_close(arena.values(op.y), wanted, 1e-7, "y");
}

/// Ends the process with what `run` throws on stderr, and status 1.
[[maybe_unused]] void end_refused(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::exception& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(1);
  }
}

TEST(LabelEmbedding, RefusesALabelThatTheTableHasNot) {
  for (std::int64_t label : {-1, 4}) {
    Arena arena(1);
    const LabelEmbedding op{.x = arena.uniform({1, k}),
                            .labels = arena.integers({label}),
                            .table = arena.uniform({4, k}),
                            .y = arena.uniform({1, k})};
    if constexpr (a_refusal_is_final) {
      GTEST_FLAG_SET(death_test_style, "threadsafe");
      EXPECT_EXIT(end_refused([&] { arena.run(op); }), testing::ExitedWithCode(1),
                  "launch failure|illegal instruction");
    } else {
      EXPECT_THROW(arena.run(op), std::logic_error) << label;
    }
  }
}

TEST(LabelEmbeddingGradient, AgreesWithFiniteDifferences) {
  for (Mode mode : {Mode::overwrite, Mode::accumulate}) {
    Arena arena(2);
    const LabelEmbeddingGradient op{
        .dy = arena.uniform({5, k}), .labels = arena.integers(labels), .dtable = arena.uniform({4, k}), .mode = mode};
    const Values dy = arena.values(op.dy), before = mode == Mode::accumulate ? arena.values(op.dtable) : Values(4 * k);
    arena.run(op);
    const auto loss = [&](const Values& table) {
      double sum = 0;
      for (std::size_t i = 0; i < dy.size(); ++i)
        sum += dy[i] * table[static_cast<std::size_t>(labels[i / k]) * k + i % k];
      return sum;
    };
    expect_gradient(loss, Values(4 * k, 0.5), difference(arena.values(op.dtable), before), 1e-6, "dtable");
  }
}

}  // namespace
}  // namespace kernels::test
