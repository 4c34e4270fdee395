// What every likelihood estimator is given and gives back.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/likelihood/score.h"
#include "kernels/pixel_range.h"
#include "kernels/sde.h"

namespace core::likelihood {

/// Images to be evaluated: 8-bit pixels by index. The index is the key of all that is random about an image, so its
/// figures depend on neither the batch nor the rank that it is evaluated in.
struct Images {
  std::vector<std::int64_t> indices;
  std::int64_t dims = 0;
  std::function<void(std::int64_t index, std::span<std::uint8_t> pixels)> read;
};

struct Settings {
  kernels::Sde sde;
  kernels::PixelRange range;
  double smallest_time = 1e-5;
  std::uint64_t seed = 0;
  std::int64_t passes = 1;        // fresh dequantisation, noise and probes; figures are means over passes
  std::int64_t bound_times = 20;  // per image and pass
  double ode_tolerance = 1e-5;
  std::int64_t ode_max_evaluations = 10'000;                         // of the score, for one image and pass
  std::function<void(std::int64_t done, std::int64_t of)> progress;  // images; may be empty
};

/// x = range.value(k + u) in double precision, u uniform in [0,1) and a pure function of (seed, index, pass).
void dequantise(std::span<const std::uint8_t> pixels, std::uint64_t seed, std::int64_t index, std::int64_t pass,
                std::span<double> x, const kernels::PixelRange& range = {});

/// Standard normals of (seed, index, pass, draw).
void normals(std::uint64_t seed, std::int64_t index, std::int64_t pass, std::int64_t draw, std::span<double> z);

/// -log p(x) in nats of x in the range as bits/dim of the 256-level image: nats/(dims ln 2) + offset_bits.
double bits_per_dim(double nats, std::int64_t dims, const kernels::PixelRange& range = {});
/// A level is 2^-offset_bits wide: 7 where pixels are in [-1, 1], 8 where they are in [0, 1].
double offset_bits(const kernels::PixelRange& range);

/// The variational bound on -log p of one image in its collapsed form (ScoreFlow Theorem 3; Kingma et al. 2021),
/// bits/dim: prior = KL(p(x_1|x) || prior); diffusion = 1/2 int E|z - z_hat|^2 dlambda; reconstruction = E -log
/// p(x|x_eps) + offset_bits. Throws RunError where the score is not finite.
struct BoundTerms {
  std::int64_t index = 0;
  double prior = 0, diffusion = 0, reconstruction = 0;
  double total() const { return prior + diffusion + reconstruction; }
};
std::vector<BoundTerms> bound(const Score& score, const Images& images, const Settings& settings);

/// The likelihood of one image under the probability-flow ODE (Song et al. 2021, section 4.3), bits/dim; x is taken for
/// x at the smallest time, as there. Throws RunError where the score or its trace is not finite, or too rough.
struct OdeLikelihood {
  std::int64_t index = 0;
  double bits = 0;
  double evaluations = 0;  // of the score and its divergence, mean over passes
};
std::vector<OdeLikelihood> ode(const Score& score, const Images& images, const Settings& settings);

/// The same for continuous x[dims] with a given probe, in nats: -log p(x). `latent` receives x at t = 1. For tests and
/// for data that is not quantised. Throws Unsolvable with the number i and -log-SNR.
struct OdeResult {
  double nats = 0;
  std::int64_t evaluations = 0;
};
std::vector<OdeResult> ode_continuous(
    const Score& score, const Settings& settings, std::int64_t count,
    const std::function<void(std::int64_t i, std::span<double> x, std::span<double> probe)>& start,
    const std::function<void(std::int64_t i, std::span<const double> latent)>& latent);

/// Mean over images and its standard error.
struct Summary {
  double mean = 0, standard_error = 0;
  std::int64_t images = 0;
};
Summary summarise(std::span<const double> values);

}  // namespace core::likelihood
