// Drawing images from a score: what can be chosen, and the one call that draws.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <variant>
#include <vector>

#include "core/likelihood/score.h"
#include "kernels/pixel_range.h"
#include "kernels/sde.h"

namespace core::sampling {

using likelihood::Score;

/// The times at which a sampler with fixed steps stands, from 1 to the smallest.
enum class Spacing : std::uint8_t {
  uniform_time,
  uniform_log_snr,
  rho  // sigma^(1/7) equally spaced, sigma = s/a (Karras et al. 2022, equation 5)
};

/// How the noise that is left at the smallest time is dealt with.
enum class Finish : std::uint8_t {
  noise_free,  // the last step, to the smallest time, is taken without its noise
  tweedie      // the last step is Tweedie's estimate of the clean image at the smallest time, (x + s^2 score)/a
};

enum class Predictor : std::uint8_t { none, euler_maruyama, reverse_diffusion, ancestral, ddim };

/// Langevin steps x <- x + e score + sqrt(2 e) z at one time, before the predictor leaves it (Song et al. 2021, section
/// 4.2 and appendix G). With alpha = (a_t/a_next)^2 for VP and 1 otherwise, e = 2 alpha (snr |z|/|score|)^2 with the
/// norms of each image by itself, or, annealed, e = 2 alpha (snr s)^2.
struct Corrector {
  enum class Kind : std::uint8_t { none, langevin, annealed } kind = Kind::none;
  std::int64_t steps = 1;
  double snr = 0.16;
};

/// At every time the corrector, then the predictor; either may be absent. Corrector alone: annealed Langevin dynamics.
struct PredictorCorrector {
  Predictor predictor = Predictor::euler_maruyama;
  double eta = 0;  // of ddim: 0 deterministic, 1 the posterior's variance
  Corrector corrector = {};
};
/// The probability-flow ODE with error control per image; its steps are its own.
struct ProbabilityFlow {
  double tolerance = 1e-4;                // relative and absolute
  std::int64_t max_evaluations = 10'000;  // for one image
};
/// Heun's method on the flow in x/a and sigma = s/a, with churn (Karras et al. 2022, algorithm 2): where sigma is in
/// the range it is first raised by the factor 1 + min(churn/steps, sqrt(2) - 1), never beyond sigma at t = 1.
struct Heun {
  double churn = 0, least_sigma = 0, largest_sigma = std::numeric_limits<double>::infinity(), noise = 1;
};
/// DPM-Solver++(2M) (Lu et al. 2022).
struct DpmSolver2M {};

using Sampler = std::variant<PredictorCorrector, ProbabilityFlow, Heun, DpmSolver2M>;

struct Settings {
  kernels::Sde sde;
  double smallest_time = 1e-3;  // where sampling ends
  std::uint64_t seed = 0;
  Sampler sampler = PredictorCorrector{};
  Spacing spacing = Spacing::uniform_time;
  Finish finish = Finish::tweedie;
  std::int64_t steps = 1000;                                         // the last one, Tweedie's or not, included
  std::function<void(std::int64_t done, std::int64_t of)> progress;  // image steps (images of the flow); may be empty
};

struct Samples {
  std::vector<std::vector<double>> x;  // [dims] in the model's coordinates for each index
  std::int64_t evaluations = 0;        // of the score, summed over images
};

/// An image for each index. Everything random is a pure function of (seed, index, draw), so an image does not depend on
/// the others. Throws RunError with likelihood::score_status where the score is not finite.
Samples draw(const Score& score, std::span<const std::int64_t> indices, const Settings& settings);

/// The range to 0..255: floor(range.level(x)), clipped; the inverse of dequantisation.
std::vector<std::uint8_t> to_pixels(std::span<const double> x, const kernels::PixelRange& range = {});

}  // namespace core::sampling
