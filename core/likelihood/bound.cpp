#include <cmath>
#include <numbers>

#include "core/likelihood/estimate.h"
#include "kernels/philox.h"

namespace core::likelihood {
namespace {

using namespace kernels;

/// KL(N(a x, s^2) || N(0, p^2)) at t = 1, summed over the dimensions, nats.
double prior_divergence(const Sde& sde, std::span<const double> x) {
  const double a = mean_coefficient(sde, 1.0), s = standard_deviation(sde, 1.0), p = prior_deviation(sde);
  double squares = 0;
  for (double value : x) squares += value * value;
  const auto dims = static_cast<double>(x.size());
  return 0.5 * (a * a * squares + dims * s * s) / (p * p) - 0.5 * dims * (1 + 2 * std::log(s / p));
}

/// One evaluation of the score: draw `draw` of an image, at smallest_time for the reconstruction (draw == bound_times).
struct Item {
  std::size_t image;
  std::int64_t pass, draw;
  double t;
};

class Bound {
 public:
  Bound(const Score& score, const Images& images, const Settings& settings)
      : score_(score),
        images_(images),
        settings_(settings),
        dims_(static_cast<std::size_t>(images.dims)),
        terms_(images.indices.size()) {
    high_ = log_snr(settings.sde, settings.smallest_time);
    range_ = high_ - log_snr(settings.sde, 1.0);
  }

  std::vector<BoundTerms> run() {
    for (std::size_t image = 0; image < terms_.size(); ++image) {
      terms_[image].index = images_.indices[image];
      for (std::int64_t pass = 0; pass < settings_.passes; ++pass) add(image, pass);
      if (settings_.progress) settings_.progress(static_cast<std::int64_t>(image) + 1, std::ssize(terms_));
    }
    evaluate();
    // log of the decoder's normaliser: N(x; ., (s/a)^2) at the smallest time.
    const double s = standard_deviation(settings_.sde, settings_.smallest_time),
                 a = mean_coefficient(settings_.sde, settings_.smallest_time);
    const double normaliser =
        0.5 * static_cast<double>(images_.dims * settings_.passes) * std::log(2 * std::numbers::pi * s * s / (a * a));
    const double nats_to_bits =
        1 / (static_cast<double>(images_.dims) * std::numbers::ln2 * static_cast<double>(settings_.passes));
    for (BoundTerms& term : terms_) {
      term.prior *= nats_to_bits;
      term.diffusion *= nats_to_bits;
      term.reconstruction = (term.reconstruction + normaliser) * nats_to_bits + offset_bits(settings_.range);
    }
    return terms_;
  }

 private:
  void add(std::size_t image, std::int64_t pass) {
    std::vector<std::uint8_t> pixels(dims_);
    std::vector<double> x(dims_);
    const std::int64_t index = images_.indices[image];
    images_.read(index, pixels);
    dequantise(pixels, settings_.seed, index, pass, x, settings_.range);
    terms_[image].prior += prior_divergence(settings_.sde, x);

    // Times stratified over the image's draws: one uniform offset, then equal steps in log-SNR.
    const auto words = philox(settings_.seed, Stream::time, static_cast<std::uint64_t>(index), 0,
                              static_cast<std::uint32_t>(1 + pass));
    const double offset = uniform_double(words.word[0], words.word[1]),
                 times = static_cast<double>(settings_.bound_times);
    for (std::int64_t draw = 0; draw < settings_.bound_times; ++draw) {
      push({image, pass, draw,
            time_of_log_snr(settings_.sde, high_ - range_ * (static_cast<double>(draw) + offset) / times)},
           x);
    }
    push({image, pass, settings_.bound_times, settings_.smallest_time}, x);
  }

  void push(const Item& item, std::span<const double> x) {
    items_.push_back(item);
    const double a = mean_coefficient(settings_.sde, item.t), s = standard_deviation(settings_.sde, item.t);
    const std::size_t at = xt_.size();
    z_.resize(at + dims_);
    xt_.resize(at + dims_);
    normals(settings_.seed, images_.indices[item.image], item.pass, item.draw, std::span(z_).subspan(at, dims_));
    for (std::size_t i = 0; i < dims_; ++i) xt_[at + i] = a * x[i] + s * z_[at + i];
    if (std::ssize(items_) == score_.batch) evaluate();
  }

  void evaluate() {
    std::vector<double> times, scores(xt_.size());
    for (const Item& item : items_) times.push_back(item.t);
    if (!items_.empty()) score_.value(times, xt_, scores);
    for (std::size_t n = 0; n < items_.size(); ++n) {
      const double s = standard_deviation(settings_.sde, times[n]);
      require_finite(std::span(scores).subspan(n * dims_, dims_), images_.indices[items_[n].image], times[n]);
      double squares = 0;  // |z - z_hat|^2, z_hat = -s score
      for (std::size_t i = n * dims_; i < (n + 1) * dims_; ++i)
        squares += (z_[i] + s * scores[i]) * (z_[i] + s * scores[i]);
      BoundTerms& terms = terms_[items_[n].image];
      if (items_[n].draw == settings_.bound_times)
        terms.reconstruction += 0.5 * squares;
      else
        terms.diffusion += 0.5 * range_ * squares / static_cast<double>(settings_.bound_times);
    }
    items_.clear();
    xt_.clear();
    z_.clear();
  }

  const Score& score_;
  const Images& images_;
  const Settings& settings_;
  std::size_t dims_;
  double high_, range_;
  std::vector<BoundTerms> terms_;
  std::vector<Item> items_;     // waiting for the next call
  std::vector<double> xt_, z_;  // of the waiting items
};

}  // namespace

std::vector<BoundTerms> bound(const Score& score, const Images& images, const Settings& settings) {
  return Bound(score, images, settings).run();
}

}  // namespace core::likelihood
