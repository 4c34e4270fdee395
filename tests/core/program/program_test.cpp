// Plans, exchanges and the executor on programs built by hand; gradients of whole networks are tested with the UNet.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/program/describe.h"
#include "core/program/differentiate.h"
#include "core/program/exchange.h"
#include "tests/core/program/cpu_executor.h"

namespace core::program {
namespace {

using kernels::AddScaled;
using kernels::Linear;
using kernels::Mode;
using kernels::Silu;

/// A random program of additions: each record reads an earlier tensor and writes a new one.
Program random_program(unsigned seed, int records) {
  std::mt19937 random(seed);
  Program program;
  std::vector<Tensor> made = {program.input("x", {16, 4})};
  for (int i = 0; i < records; ++i) {
    const Tensor y = program.tensor("t" + std::to_string(i), {16, static_cast<std::int64_t>(1 + random() % 300)});
    program.record(Silu{.x = made[random() % made.size()], .y = y});
    made.push_back(y);
  }
  return program;
}

struct Life {
  std::size_t first = SIZE_MAX, last = 0;
};
std::vector<Life> lives(const Program& program) {
  std::vector<Life> result(program.tensors().size());
  for (std::size_t i = 0; i < program.ops().size(); ++i) {
    Op op = program.ops()[i];
    kernels::for_each_operand(op, [&](const Tensor& t) {
      Life& life = result[static_cast<std::size_t>(t.id)];
      life.first = std::min(life.first, i);
      life.last = std::max(life.last, i);
    });
  }
  for (std::size_t t = 0; t < result.size(); ++t) {
    if (program.tensors()[t].role != Role::activation) result[t] = {0, program.ops().size()};
  }
  return result;
}

TEST(Plan, TensorsThatLiveTogetherDoNotOverlap) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Program program = random_program(seed, 40);
    const std::vector<std::size_t> scratch(program.ops().size(), 100 + seed);
    const Plan plan = plan_memory(program, scratch, kernels::memory_alignment);
    const auto life = lives(program);
    for (std::size_t a = 0; a < life.size(); ++a) {
      const std::size_t a_end = plan.offsets[a] + program.tensors()[a].tensor.size_bytes() + kernels::memory_alignment;
      ASSERT_LE(a_end, plan.arena_bytes);
      ASSERT_EQ(plan.offsets[a] % kernels::memory_alignment, 0u);
      for (std::size_t b = 0; b < a; ++b) {
        if (life[a].last < life[b].first || life[b].last < life[a].first) continue;
        const std::size_t b_end =
            plan.offsets[b] + program.tensors()[b].tensor.size_bytes() + kernels::memory_alignment;
        ASSERT_TRUE(a_end <= plan.offsets[b] || b_end <= plan.offsets[a]) << a << " and " << b << " with seed " << seed;
      }
      for (std::size_t i = life[a].first; i <= life[a].last && i < program.ops().size(); ++i) {
        ASSERT_TRUE(a_end <= plan.scratch[i] || plan.scratch[i] + scratch[i] <= plan.offsets[a]) << "scratch of " << i;
      }
    }
  }
}

TEST(Plan, NeedsLittleMoreThanWhatLivesAtOnce) {
  // A chain: only two tensors live at a time.
  Program program;
  Tensor x = program.input("x", {100, 100});
  for (int i = 0; i < 30; ++i) {
    const Tensor y = program.tensor("y", {100, 100 + i});
    program.record(Silu{.x = x, .y = y});
    x = y;
  }
  const Plan plan = plan_memory(program, std::vector<std::size_t>(30));
  EXPECT_LT(plan.arena_bytes, 4 * 100 * (100 + 130 + 130) * 1.05);
  EXPECT_GT(plan.activation_bytes, 30u * 40000);
}

/// loss-like output y = w silu(w x + b) + b, twice the same weight and bias.
struct TwoLayers {
  explicit TwoLayers(Mode mode = Mode::overwrite) {
    x = program.input("x", {3, 4});
    cotangent = program.input("cotangent", {3, 4});
    const Tensor w = program.parameter("w", {4, 4}, {0, 0.5f}), b = program.parameter("b", {4}, {});
    const Tensor h = program.tensor("h", {3, 4}), a = program.tensor("a", {3, 4});
    y = program.tensor("y", {3, 4}, Role::output);
    program.record(Linear{.x = x, .weight = w, .bias = b, .y = h});
    program.record(Silu{.x = h, .y = a});
    program.record(Linear{.x = a, .weight = w, .bias = b, .y = y});
    const Seed seeds[] = {{y, cotangent}};
    const Tensor wanted[] = {w, b, x};
    gradients = differentiate(program, seeds, wanted, {.parameter_mode = mode});
    program.keep(gradients[2]);
    weights = {std::vector<float>(16), std::vector<float>(4)};
    computed = {std::vector<float>(16, 100.0f), std::vector<float>(4, 100.0f)};
    for (std::size_t i = 0; i < 16; ++i) weights[0][i] = static_cast<float>(std::sin(1.0 + static_cast<double>(i)));
  }
  void start(const kernels::OnExchange& exchange = {}) {
    executor = test::make_cpu_executor(program, 1, exchange);
    for (std::size_t i = 0; i < 2; ++i) {
      executor->bind(program.parameters()[i].tensor, weights[i]);
      executor->bind(gradients[i], computed[i]);
    }
    for (std::size_t i = 0; i < 12; ++i) input.push_back(static_cast<float>(std::cos(2.0 * static_cast<double>(i))));
    executor->upload(x, std::span<const float>(input));
    executor->upload(cotangent, std::span<const float>(std::vector<float>(12, 1.0f)));
  }
  double value() {
    executor->run();
    std::vector<float> out(12);
    executor->download(y, std::span<float>(out));
    double sum = 0;
    for (float v : out) sum += v;
    return sum;
  }

  Program program;
  Tensor x, cotangent, y;
  std::vector<Tensor> gradients;
  std::vector<std::vector<float>> weights, computed;
  std::vector<float> input;
  std::unique_ptr<Executor> executor;
};

TEST(Differentiate, AddsTheContributionsOfASharedWeight) {
  TwoLayers net;
  net.start();
  net.value();
  const auto gradient = net.computed;
  for (std::size_t p : {0u, 1u}) {
    for (std::size_t i = 0; i < net.weights[p].size(); ++i) {
      const float start = net.weights[p][i];
      double values[2];
      for (int side : {0, 1}) {
        net.weights[p][i] = start + (side ? 1e-2f : -1e-2f);
        values[side] = net.value();
      }
      net.weights[p][i] = start;
      EXPECT_NEAR(gradient[p][i], (values[1] - values[0]) / 2e-2, 2e-3) << p << " " << i;
    }
  }
}

TEST(Differentiate, RefusesASharedWeightWithoutItsBias) {
  Program program;
  const Tensor x = program.input("x", {2, 3}), seed = program.input("seed", {2, 3}),
               w = program.parameter("w", {3, 3}, {}), b = program.parameter("b", {3}, {});
  const Tensor h = program.tensor("h", {2, 3}), y = program.tensor("y", {2, 3});
  program.record(Linear{.x = x, .weight = w, .bias = b, .y = h});
  program.record(Linear{.x = h, .weight = w, .y = y});
  const Seed seeds[] = {{y, seed}};
  const Tensor wanted[] = {w, b};
  EXPECT_THROW(differentiate(program, seeds, wanted), std::logic_error);
}

TEST(Differentiate, AccumulatesIntoWhatIsThere) {
  TwoLayers once, twice(Mode::accumulate);
  once.start();
  twice.start();
  once.value();
  twice.value();
  for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(twice.computed[0][i], once.computed[0][i] + 100, 1e-4);
}

TEST(Differentiate, RecordsOnlyWhatIsAskedFor) {
  Program program;
  const Tensor x = program.input("x", {2, 3}), seed = program.input("seed", {2, 3}),
               w = program.parameter("w", {3, 3}, {});
  const Tensor y = program.tensor("y", {2, 3});
  program.record(Linear{.x = x, .weight = w, .y = y});
  const Seed seeds[] = {{y, seed}};
  const Tensor wanted[] = {x};
  differentiate(program, seeds, wanted);
  ASSERT_EQ(program.ops().size(), 2u);
  EXPECT_EQ(kernels::name(program.ops()[1]), "LinearDataGradient");
}

TEST(Differentiate, RefusesWhatHasNoGradient) {
  Program program;
  const Tensor label = program.input("label", {2}), y = program.tensor("y", {2, 8}),
               seed = program.input("seed", {2, 8});
  program.record(kernels::TimeEmbedding{.label = label, .y = y});
  const Seed seeds[] = {{y, seed}};
  const Tensor wanted[] = {label};
  EXPECT_THROW(differentiate(program, seeds, wanted), std::logic_error);
  const Tensor stranger[] = {program.input("stranger", {1})};
  EXPECT_THROW(differentiate(program, seeds, stranger), std::logic_error);
}

TEST(Exchange, ComesRightAfterTheLastGradientOfItsBucket) {
  TwoLayers net;
  const std::vector<std::vector<Tensor>> buckets = {{net.gradients[1]}, {net.gradients[0]}};
  insert_exchanges(net.program, buckets);
  std::vector<int> seen;
  std::vector<std::vector<float>> at_exchange(2);
  net.start([&](int topic, std::span<float>) {
    seen.push_back(topic);
    if (topic == 0) at_exchange[1] = net.computed[1];
    if (topic == 1) at_exchange[0] = net.computed[0];
  });
  net.value();
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 0), 1);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 1);
  EXPECT_GT(std::count(seen.begin(), seen.end(), -1), 0);
  EXPECT_EQ(at_exchange, net.computed);
  EXPECT_EQ(seen.back(), 2) << "the end of the program";
}

TEST(Executor, PassesExchangesByWhereOthersAreNotHeard) {
  TwoLayers net;
  insert_exchanges(net.program, std::vector<std::vector<Tensor>>{{net.gradients[1], net.gradients[0]}});
  int heard = 0;
  net.start([&](int, std::span<float>) { ++heard; });
  net.value();
  const int once = heard;
  EXPECT_GT(once, 0);
  net.executor->run(Exchanging::no);
  net.executor->run_timed(Exchanging::no);
  net.executor->find_non_finite();
  EXPECT_EQ(heard, once);
  net.executor->run_timed();
  EXPECT_EQ(heard, 2 * once);
}

TEST(Executor, NamesTheFirstRecordThatWritesANonFiniteValue) {
  TwoLayers net;
  net.start();
  EXPECT_FALSE(net.executor->find_non_finite().has_value());
  net.input[4 + 2] = NAN;  // of the second image
  net.executor->upload(net.x, std::span<const float>(net.input));
  const auto found = net.executor->find_non_finite();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->operation, "Linear");
  EXPECT_EQ(found->tensor, "h");
  EXPECT_EQ(found->image, 1);
}

TEST(Executor, RefusesTransfersOfAnotherSizeOrRole) {
  TwoLayers net;
  net.start();
  std::vector<float> short_one(11);
  EXPECT_THROW(net.executor->upload(net.x, std::span<const float>(short_one)), std::logic_error);
  EXPECT_THROW(net.executor->download(net.y, std::span<float>(short_one)), std::logic_error);
  std::vector<float> right(12);
  EXPECT_THROW(net.executor->download(net.x, std::span<float>(right)), std::logic_error);
  EXPECT_THROW(net.executor->bind(net.x, right), std::logic_error);
}

TEST(Describe, AddsUp) {
  const TwoLayers net;
  EXPECT_EQ(parameter_count(net.program), 20);
  // Forward 2 x, backward 2 x for the weights and 2 x for the data: 6 products of 3x4x4.
  EXPECT_EQ(total_flops(net.program), 6 * 2.0 * 48);
}

}  // namespace
}  // namespace core::program
