// A handful of images, perfectly learned: bits/dim comes down to log2(K)/D and never below.
#include <gtest/gtest.h>

#include <boost/math/quadrature/gauss_kronrod.hpp>

#include "tests/core/likelihood/gaussian.h"

namespace core::likelihood::tests {
namespace {

using kernels::Sde;
using kernels::SdeKind;

constexpr std::int64_t distinct = 4, dims = 8;
constexpr double width = 2.0 / 256;  // of a level
const double truth = std::log2(distinct) / dims;

double phi(double z) {
  return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
}

/// P(low < z < high) of a standard normal, precise in both tails.
double mass(double low, double high) {
  const auto upper = [](double z) { return 0.5 * std::erfc(z / std::numbers::sqrt2); };
  return low + high > 0 ? upper(low) - upper(high) : upper(-high) - upper(-low);
}

std::uint8_t pixel(std::int64_t index, std::size_t d) {
  return static_cast<std::uint8_t>(20 + 61 * (index % distinct) + 23 * static_cast<std::int64_t>(d) * (1 + index % 2));
}

/// The exact score of the images, each a cube of one level's width: log p_t = log mean_k prod_d mass_kd / (a width).
Score exact_score(const Sde& sde) {
  const auto both = [sde](std::span<const double> t, std::span<const double> x, std::span<double> score,
                          std::span<double> trace) {
    for (std::size_t n = 0; n < t.size(); ++n) {
      const double a = kernels::mean_coefficient(sde, t[n]), s = kernels::standard_deviation(sde, t[n]);
      double logs[distinct], gradients[distinct][dims], seconds[distinct], largest = -INFINITY;
      for (std::int64_t k = 0; k < distinct; ++k) {
        logs[k] = seconds[k] = 0;
        for (std::size_t d = 0; d < dims; ++d) {
          const double low = pixel(k, d) * width - 1, u = (x[n * dims + d] - a * low) / s, v = u - a * width / s;
          const double m = mass(v, u);
          if (m < 1e-290) logs[k] = -INFINITY;  // too far away to count
          logs[k] += std::log(m);
          gradients[k][d] = (phi(u) - phi(v)) / (s * m);
          seconds[k] +=  // the Laplacian of a product over its value: a sum over the factors
              (v * phi(v) - u * phi(u)) / (s * s * m);
        }
        largest = std::max(largest, logs[k]);
      }
      double total = 0, sum[dims] = {}, second = 0, squares = 0;
      for (std::int64_t k = 0; k < distinct; ++k) {
        const double r = std::exp(logs[k] - largest);
        if (r == 0) continue;
        total += r;
        for (std::size_t d = 0; d < dims; ++d) sum[d] += r * gradients[k][d];
        second += r * seconds[k];
      }
      for (std::size_t d = 0; d < dims; ++d) {
        score[n * dims + d] = sum[d] / total;
        squares += std::pow(sum[d] / total, 2);
      }
      if (!trace.empty()) trace[n] = second / total - squares;
    }
  };
  return {.dims = dims,
          .batch = 64,
          .value = [both](auto t, auto x, auto score) { both(t, x, score, {}); },
          .with_trace = [both](auto t, auto x, auto, auto score, auto trace) { both(t, x, score, trace); }};
}

/// E f(y), y = x + sigma z in units of sigma from the lower edge of x's level.
template <typename F>
double over_a_level(double levels_width, F&& f) {
  return boost::math::quadrature::gauss_kronrod<double, 61>::integrate(
             [&](double y) { return f(y) * mass(y - levels_width, y); }, -8, levels_width + 8, 12, 1e-9) /
         levels_width;
}

/// What the bound exceeds the truth by, bits/dim: KL from the posterior of x within its level to the decoder, which is
/// a Gaussian around its mean with the same sigma = s/a.
double gap_of_bound(double levels_width) {
  return over_a_level(levels_width,
                      [&](double y) {
                        const double m = mass(y - levels_width, y), shift = (phi(y) - phi(y - levels_width)) / m;
                        return -std::log(m) - 0.5 * shift * shift;
                      }) /
         std::numbers::ln2;
}

/// What the ODE exceeds it by: it takes x, uniform in its level, for a point of the density at the smallest time, which
/// is blurred by s and shrunk by a.
double gap_of_ode(const Sde& sde, double smallest_time) {
  const double a = kernels::mean_coefficient(sde, smallest_time), s = kernels::standard_deviation(sde, smallest_time);
  double sum = 0;
  for (std::int64_t k = 0; k < distinct; ++k) {
    for (std::size_t d = 0; d < dims; ++d) {
      const double low = pixel(k, d) * width - 1;
      sum += boost::math::quadrature::gauss_kronrod<double, 61>::integrate(
          [&](double x) { return -std::log2(mass((x - a * (low + width)) / s, (x - a * low) / s) / a); }, low,
          low + width, 12, 1e-9);
    }
  }
  return sum / (width * distinct * dims);
}

TEST(FiniteSet, CostsItsEntropyAndWhatTheSmallestTimeBlurs) {
  struct Case {
    Sde sde;
    double smallest_time;
  };
  double last_bound = INFINITY, last_ode = INFINITY;
  for (const Case& c :
       {Case{{.kind = SdeKind::sub_vp}, 1e-2}, Case{{.kind = SdeKind::vp}, 1e-5}, Case{{.kind = SdeKind::vp}, 1e-7}}) {
    const Settings settings{.sde = c.sde, .smallest_time = c.smallest_time, .seed = 4, .passes = 4, .bound_times = 100};
    const double levels_width = width * std::exp(0.5 * kernels::log_snr(c.sde, c.smallest_time));
    std::vector<double> bounds, odes;
    for (const BoundTerms& t : bound(exact_score(c.sde), images_of(400, dims, pixel), settings))
      bounds.push_back(t.total());
    for (const OdeLikelihood& o : ode(exact_score(c.sde), images_of(40, dims, pixel), settings)) odes.push_back(o.bits);
    const Summary by_bound = summarise(bounds), by_ode = summarise(odes);
    SCOPED_TRACE(c.smallest_time);
    EXPECT_LT(by_bound.standard_error, 0.02);
    EXPECT_LT(by_ode.standard_error, 0.02);
    EXPECT_NEAR(by_bound.mean, truth + gap_of_bound(levels_width), 3 * by_bound.standard_error + 1e-3);
    EXPECT_NEAR(by_ode.mean, truth + gap_of_ode(c.sde, c.smallest_time), 3 * by_ode.standard_error + 1e-3);
    EXPECT_GT(by_bound.mean, truth - 3 * by_bound.standard_error);
    EXPECT_GT(by_ode.mean, truth - 3 * by_ode.standard_error);
    EXPECT_LT(by_bound.mean, last_bound);
    EXPECT_LT(by_ode.mean, last_ode);
    last_bound = by_bound.mean, last_ode = by_ode.mean;
  }
}

}  // namespace
}  // namespace core::likelihood::tests
