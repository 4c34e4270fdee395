#include "kernels/attention.h"

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;

struct AttentionCase {
  std::int64_t n, h, w, c, heads;
  float range;  // of q, k and v
};

constexpr AttentionCase cases[] = {{1, 4, 4, 8, 1, 1},   {3, 1, 1, 5, 1, 1},    {2, 7, 7, 6, 3, 2},
                                   {1, 8, 16, 5, 1, 3},  {2, 6, 4, 24, 4, 1},   {1, 9, 15, 4, 2, 6},
                                   {1, 16, 16, 3, 1, 1}, {1, 13, 11, 16, 2, 4}, {1, 8, 17, 72, 1, 1},
                                   {1, 5, 4, 136, 1, 1}, {1, 3, 2, 264, 1, 1}};

std::string text(const AttentionCase& s) {
  return fmt::format("n{} {}x{} c{} heads {}", s.n, s.h, s.w, s.c, s.heads);
}

struct Result {
  Values y, logsumexp;
};

Result attention(const AttentionCase& s, const Values& qkv) {
  const auto tokens = static_cast<std::size_t>(s.h * s.w), c = static_cast<std::size_t>(s.c);
  const auto heads = static_cast<std::size_t>(s.heads), d = c / heads, images = static_cast<std::size_t>(s.n);
  Result result{Values(images * tokens * c), Values(images * heads * tokens)};
  Values scores(tokens);
  for (std::size_t row = 0; row < images * heads * tokens; ++row) {
    const std::size_t image = row / tokens / heads, head = row / tokens % heads, i = row % tokens;
    const auto at = [&](std::size_t token, std::size_t third) {
      return &qkv[((image * tokens + token) * 3 + third) * c + head * d];
    };
    double sum = 0;
    for (std::size_t j = 0; j < tokens; ++j) {
      double product = 0;
      for (std::size_t e = 0; e < d; ++e) product += at(i, 0)[e] * at(j, 1)[e];
      scores[j] = std::exp(product / std::sqrt(static_cast<double>(d)));
      sum += scores[j];
    }
    result.logsumexp[row] = std::log(sum);
    for (std::size_t j = 0; j < tokens; ++j)
      for (std::size_t e = 0; e < d; ++e)
        result.y[(image * tokens + i) * c + head * d + e] += scores[j] / sum * at(j, 2)[e];
  }
  return result;
}

TEST(Attention, AgreesWithItsDefinition) {
  for (const AttentionCase& s : cases) {
    SCOPED_TRACE(text(s));
    Arena arena(1);
    Attention op;
    op.qkv = arena.uniform({s.n, s.h, s.w, 3 * s.c}, -s.range, s.range);
    op.heads = static_cast<int>(s.heads);
    op.y = arena.uniform({s.n, s.h, s.w, s.c});
    op.logsumexp = arena.uniform({s.n, s.heads, s.h * s.w});
    arena.run(op);
    const Result wanted = attention(s, arena.values(op.qkv));
    expect_close(arena.values(op.y), wanted.y, 4e-6, "y");
    expect_close(arena.values(op.logsumexp), wanted.logsumexp, 2e-6, "logsumexp");
  }
}

TEST(Attention, DoesNotOverflowOnLargeScores) {
  Arena arena(1);
  Attention op;
  op.qkv = arena.of({1, 1, 2, 3}, {100, 100, 1, 100, -100, 5});  // scores 10000 and -10000 in both rows
  op.y = arena.uniform({1, 1, 2, 1});
  op.logsumexp = arena.uniform({1, 1, 2});
  arena.run(op);
  expect_close(arena.values(op.y), {1, 1}, 0, "y");
  expect_close(arena.values(op.logsumexp), {10000, 10000}, 0, "logsumexp");
}

TEST(AttentionGradient, AgreesWithFiniteDifferences) {
  for (const AttentionCase& s : cases) {
    SCOPED_TRACE(text(s));
    Arena arena(2);
    AttentionGradient op;
    op.qkv = arena.uniform({s.n, s.h, s.w, 3 * s.c}, -s.range, s.range);
    op.heads = static_cast<int>(s.heads);
    const Values qkv = arena.values(op.qkv);
    const Result forward = attention(s, qkv);
    op.y = arena.of({s.n, s.h, s.w, s.c}, forward.y);
    op.logsumexp = arena.of({s.n, s.heads, s.h * s.w}, forward.logsumexp);
    op.dy = arena.uniform(op.y.shape);
    op.dqkv = arena.uniform(op.qkv.shape);
    arena.run(op);
    const Values dy = arena.values(op.dy);
    const auto loss = [&](const Values& at) {
      const Values y = attention(s, at).y;
      double sum = 0;
      for (std::size_t i = 0; i < y.size(); ++i) sum += dy[i] * y[i];
      return sum;
    };
    expect_gradient(loss, qkv, arena.values(op.dqkv), 1e-5, "dqkv");
  }
}

}  // namespace
}  // namespace kernels::test
