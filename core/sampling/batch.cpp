#include "core/sampling/batch.h"

#include <algorithm>
#include <cmath>

#include "kernels/philox.h"

namespace core::sampling {
namespace {

using namespace kernels;

/// Standard normals of (seed, index, draw).
void normals(std::uint64_t seed, std::int64_t index, std::int64_t draw, std::span<double> z) {
  for (std::size_t i = 0; i < z.size(); i += 2) {
    double pair[2];
    normal_pair(philox(seed, Stream::sampling, static_cast<std::uint64_t>(index), static_cast<std::uint32_t>(i / 2),
                       static_cast<std::uint32_t>(draw)),
                pair[0], pair[1]);
    for (std::size_t j = i; j < std::min(i + 2, z.size()); ++j) z[j] = pair[j - i];
  }
}

}  // namespace

void start(const Settings& settings, std::int64_t index, std::span<double> x) {
  normals(settings.seed, index, 0, x);
  for (double& value : x) value *= prior_deviation(settings.sde);
}

Batch::Batch(const Score& score, std::span<const std::int64_t> indices, const Settings& settings)
    : dims_(static_cast<std::size_t>(score.dims)),
      score_function_(score),
      indices_(indices),
      settings_(settings),
      x_(indices.size() * dims_),
      score_(x_.size()),
      z_(dims_) {
  for (std::size_t n = 0; n < images(); ++n) start(settings, indices[n], x().subspan(n * dims_, dims_));
}

void Batch::evaluate(double t) {
  score_function_.value(std::vector<double>(images(), t), x_, score_);
  evaluations_ += std::ssize(indices_);
  for (std::size_t n = 0; n < images(); ++n)
    likelihood::require_finite(score().subspan(n * dims_, dims_), indices_[n], t);
}

void Batch::apply(const Step& step) {
  ++draws_;
  for (std::size_t n = 0; n < images(); ++n) {
    if (step.noise != 0) normals(settings_.seed, indices_[n], draws_, z_);
    move(n, step);
  }
}

void Batch::apply(const StepOfImage& step) {
  ++draws_;
  for (std::size_t n = 0; n < images(); ++n) {
    normals(settings_.seed, indices_[n], draws_, z_);
    move(n, step(n, score().subspan(n * dims_, dims_), z_));
  }
}

void Batch::move(std::size_t n, const Step& step) {
  for (std::size_t i = 0; i < dims_; ++i) {
    double& x = x_[n * dims_ + i];
    x = step.x * x + step.score * score_[n * dims_ + i] + step.noise * z_[i];
  }
}

Samples in_batches(const Score& score, std::span<const std::int64_t> indices, const Settings& settings,
                   const Walk& walk) {
  const auto dims = static_cast<std::ptrdiff_t>(score.dims), all = std::ssize(indices);
  Samples samples;
  for (std::ptrdiff_t first = 0; first < all; first += score.batch) {
    const std::ptrdiff_t count = std::min(static_cast<std::ptrdiff_t>(score.batch), all - first);
    Batch batch(score, indices.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)), settings);
    std::int64_t done = 0;
    walk(batch, [&] {
      ++done;
      if (settings.progress) settings.progress(first * settings.steps + done * count, all * settings.steps);
    });
    samples.evaluations += batch.evaluations();
    for (auto x = batch.x().begin(); x != batch.x().end(); x += dims) samples.x.emplace_back(x, x + dims);
  }
  return samples;
}

}  // namespace core::sampling
