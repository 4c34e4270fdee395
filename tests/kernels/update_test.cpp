#include "kernels/update.h"

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;

TEST(AdamStep, FollowsTheTextbookForManySteps) {
  for (std::int64_t size : {1, 64, 40001}) {
    Arena arena(1);
    AdamStep op{.gradient = arena.uniform({size}),
                .settings = arena.uniform({static_cast<std::int64_t>(AdamSetting::count)}),
                .weights = arena.uniform({size}),
                .m = arena.of({size}, Values(static_cast<std::size_t>(size))),
                .v = arena.of({size}, Values(static_cast<std::size_t>(size))),
                .ema = arena.uniform({size})};
    const Values start = arena.values(op.weights), gradient = arena.values(op.gradient);
    Values weights = start, m(start.size()), v(start.size()), ema = arena.values(op.ema);
    const double rate = 0.01, scale = 0.37, share = 1 - 0.9999;
    for (int step = 1; step <= 5; ++step) {
      const auto set = [&](AdamSetting which, double value) {
        arena.data<float>(op.settings)[static_cast<std::size_t>(which)] = static_cast<float>(value);
      };
      set(AdamSetting::learning_rate, rate);
      set(AdamSetting::gradient_scale, scale);
      set(AdamSetting::first_correction, 1 - std::pow(0.9, step));
      set(AdamSetting::second_correction, 1 - std::pow(0.999, step));
      set(AdamSetting::ema_share, share);
      arena.run(op);
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const double g = scale * gradient[i];
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        weights[i] -= rate * m[i] / (1 - std::pow(0.9, step)) / (std::sqrt(v[i] / (1 - std::pow(0.999, step))) + 1e-8);
        ema[i] = 0.9999 * ema[i] + share * weights[i];
      }
    }
    expect_close(difference(arena.values(op.weights), start), difference(weights, start), 2e-5,
                 "change of the weights");
    expect_close(arena.values(op.m), m, 1e-6, "m");
    expect_close(arena.values(op.v), v, 1e-6, "v");
    expect_close(arena.values(op.ema), ema, 1e-6, "ema");
  }
}

TEST(AdamStep, AveragesConstantWeightsByTheClosedForm) {
  // With a gradient of zero the weights stay, and the average approaches them as decay^n. In bf16 it would never move.
  Arena arena(2);
  AdamStep op{.gradient = arena.of({1}, {0}),
              .settings = arena.of({5}, {0.1, 1, 1, 1, 1e-4}),
              .weights = arena.of({1}, {1}),
              .m = arena.of({1}, {0}),
              .v = arena.of({1}, {0}),
              .ema = arena.of({1}, {0})};
  for (int step = 0; step < 1000; ++step) arena.run(op);
  EXPECT_NEAR(arena.values(op.ema)[0], 1 - std::pow(1 - 1e-4, 1000), 1e-6);
}

TEST(Exchange, HandsOverItsTopicAndDataInPlace) {
  Arena arena(3);
  const Exchange op{.topic = 7, .data = arena.of({3}, {1, 2, 3})};
  int calls = 0;
  const Step step = prepare(op, CpuContext{.threads = 1, .exchange = [&](int topic, std::span<float> data) {
                                             EXPECT_EQ(topic, 7);
                                             EXPECT_EQ(data.size(), 3u);
                                             data[1] = 20;
                                             ++calls;
                                           }});
  std::byte* base[] = {reinterpret_cast<std::byte*>(arena.data<float>(op.data))};
  step.run(Memory{.base = base});
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(arena.values(op.data), (Values{1, 20, 3}));
}

TEST(Exchange, DoesNothingWhereNobodyAnswers) {
  Arena arena(4);
  const Exchange op{.topic = 0, .data = arena.of({2}, {1, 2})};
  arena.run(op);
  EXPECT_EQ(arena.values(op.data), (Values{1, 2}));
}

}  // namespace
}  // namespace kernels::test
