#include "kernels/update.h"

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;

TEST(AddTerms, AddsOneAfterAnotherAndCopies) {
  for (const std::int64_t size : {1, 64, 1000, 70001}) {
    for (const std::size_t terms : {0, 1, 3, 8}) {
      for (const bool copies : {false, true}) {
        Arena arena(5);
        AddTerms op{.sum = arena.uniform({size})};
        Values wanted = arena.values(op.sum);
        for (std::size_t k = 0; k < terms; ++k) {
          op.terms[k] = arena.uniform({size}, -1e3, 1e3);
          const Values term = arena.values(op.terms[k]);
          for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = static_cast<float>(wanted[i] + term[i]);
        }
        if (copies) op.copy = arena.uniform({size});
        arena.run(op);
        EXPECT_EQ(arena.values(op.sum), wanted);
        if (copies) {
          EXPECT_EQ(arena.values(op.copy), wanted);
        }
      }
    }
  }
}

double square_of_block(const float* x) {
  double lane[8] = {};
  for (int i = 0; i < 64; ++i) lane[i % 8] += double{x[i]} * x[i];
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

TEST(SquareSums, GivesANumberForAWholeChunkAndOneForEachBlockOfACutOne) {
  constexpr std::int64_t chunk = 65536;
  struct Cut {
    std::int64_t begin, end, total;
  };
  for (const auto& [begin, end, total] : {Cut{0, 0, 0},
                                          {0, 64, 64},
                                          {0, 640, 6400},
                                          {64, 704, 704},
                                          {0, chunk, 3 * chunk},
                                          {128, chunk, 3 * chunk},
                                          {128, 2 * chunk + 64, 3 * chunk},
                                          {0, chunk + 192, chunk + 192},
                                          {640, chunk + 640, chunk + 640},
                                          {chunk - 64, chunk + 64, 2 * chunk}}) {
    Arena arena(6);
    const SquareSums op{.values = arena.uniform({end - begin}),
                        .numbers = arena.doubles(square_numbers(begin, end, total)),
                        .begin = begin,
                        .total = total};
    const float* const x = arena.data<float>(op.values);
    Values wanted;
    for (std::int64_t first = begin / chunk * chunk; first < end; first += chunk) {
      const std::int64_t last = std::min(first + chunk, total);
      const bool whole = first >= begin && last <= end;
      double sum = 0;
      for (std::int64_t i = std::max(first, begin); i < std::min(last, end); i += 64) {
        const double block = square_of_block(x + (i - begin));
        sum += block;
        if (!whole) wanted.push_back(block);
      }
      if (whole) wanted.push_back(sum);
    }
    arena.run(op);
    const double* const got = arena.data<double>(op.numbers);
    EXPECT_EQ(Values(got, got + op.numbers.shape.elements()), wanted) << begin << " to " << end << " of " << total;
  }
}

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
