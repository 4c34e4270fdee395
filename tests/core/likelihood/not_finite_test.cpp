// A score that is no number, or too rough, ends an estimate with one line: it is neither waited for nor averaged.
#include <gtest/gtest.h>

#include "kernels/check.h"
#include "tests/core/likelihood/gaussian.h"

namespace core::likelihood::tests {
namespace {

const kernels::Sde sde{.kind = kernels::SdeKind::vp};

Images three_images() {
  Images images = images_of(3, 2, [](std::int64_t, std::size_t) { return std::uint8_t{100}; });
  images.indices = {70, 71, 72};
  return images;
}

void expect_refusal(const std::function<void()>& estimate, const char* reason) {
  try {
    estimate();
    ADD_FAILURE() << "was computed";
  } catch (const kernels::RunError& error) {
    EXPECT_EQ(error.status, score_status);
    EXPECT_NE(std::string(error.what()).find("image 7"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
  }
}

TEST(NotFinite, OdeRefusesAScoreOrATraceFromItsTimeOn) {
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    for (const double since : {0.0, 0.5}) {
      for (const bool trace_too : {false, true}) {
        Score score = gaussian_score(sde, 0.3, 0.5, 2, 2);
        score.with_trace = [=, good = score.with_trace](auto t, auto x, auto v, std::span<double> out,
                                                        std::span<double> trace) {
          good(t, x, v, out, trace);
          for (std::size_t n = 0; n < t.size(); ++n) {
            if (t[n] >= since) (trace_too ? trace[n] : out[2 * n + 1]) = bad;
          }
        };
        expect_refusal([&] { ode(score, three_images(), {.sde = sde, .passes = 2}); }, "is not finite");
      }
    }
  }
}

TEST(NotFinite, BoundRefusesAScore) {
  Score score = gaussian_score(sde, 0.3, 0.5, 2, 5);
  score.value = [good = score.value](auto t, auto x, std::span<double> out) {
    good(t, x, out);
    out.back() = std::nan("");
  };
  expect_refusal([&] { bound(score, three_images(), {.sde = sde}); }, "the score is nan");
}

TEST(NotFinite, OdeRefusesAScoreThatJumpsWithoutEnd) {
  Score score = gaussian_score(sde, 0.3, 0.5, 2, 5);
  score.with_trace = [good = score.with_trace](auto t, auto x, auto v, std::span<double> out, std::span<double> trace) {
    good(t, x, v, out, trace);
    for (double& value : out) value += 1e16 * std::sin(1e9 * value);
  };
  expect_refusal([&] { ode(score, three_images(), {.sde = sde}); }, "not smooth");
}

TEST(TooRough, OdeTakesAllItsEvaluationsAndNotOneMore) {
  const Score score = gaussian_score(sde, 0.3, 0.5, 2, 5);
  Settings settings{.sde = sde};
  double longest = 0;
  for (const OdeLikelihood& o : ode(score, three_images(), settings)) longest = std::max(longest, o.evaluations);
  ASSERT_GT(longest, 20);
  settings.ode_max_evaluations = static_cast<std::int64_t>(longest);
  EXPECT_EQ(ode(score, three_images(), settings).size(), 3u);
  --settings.ode_max_evaluations;
  expect_refusal([&] { ode(score, three_images(), settings); }, "ode_max_evaluations");
}

}  // namespace
}  // namespace core::likelihood::tests
