// One optimiser step over a range of the flat parameter space.
#pragma once

#include <cmath>
#include <tuple>

#include "kernels/cpu_context.h"
#include "kernels/portable.h"
#include "kernels/tensor.h"

namespace kernels {

/// What changes from step to step, in the tensor `settings` of AdamStep, [5] f32.
enum class AdamSetting : std::uint8_t {
  learning_rate,
  gradient_scale,     // what the summed gradient is multiplied by: averaging and clipping in one
  first_correction,   // 1 - beta1^step
  second_correction,  // 1 - beta2^step
  ema_share,          // 1 - decay of the averaged weights
  count
};

/// Adam (Kingma and Ba 2015) and the exponential moving average of the weights, all [n] f32:
/// g = gradient_scale * gradient; m = beta1 m + (1-beta1) g; v = beta2 v + (1-beta2) g^2;
/// weights -= learning_rate * (m/first_correction) / (sqrt(v/second_correction) + epsilon); ema += ema_share (weights -
/// ema).
struct AdamStep {
  In gradient, settings;
  InOut weights, m, v, ema;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  auto operands() { return std::tie(gradient, settings, weights, m, v, ema); }
};

/// AdamStep of one weight.
struct AdamUpdate {
  float gradient_scale, ema_share, rate, root, beta1, rest1, beta2, rest2, epsilon;

  PORTABLE AdamUpdate(const float* settings, double b1, double b2, double e)
      : gradient_scale(of(settings, AdamSetting::gradient_scale)),
        ema_share(of(settings, AdamSetting::ema_share)),
        rate(of(settings, AdamSetting::learning_rate) / of(settings, AdamSetting::first_correction)),
        root(1 / std::sqrt(of(settings, AdamSetting::second_correction))),
        beta1(static_cast<float>(b1)),
        rest1(static_cast<float>(1 - b1)),
        beta2(static_cast<float>(b2)),
        rest2(static_cast<float>(1 - b2)),
        epsilon(static_cast<float>(e)) {}
  PORTABLE void operator()(float gradient, float& weight, float& m, float& v, float& ema) const {
    const float g = gradient_scale * gradient;
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * g * g;
    weight -= rate * m / (std::sqrt(v) * root + epsilon);
    ema += ema_share * (weight - ema);
  }

 private:
  PORTABLE static float of(const float* settings, AdamSetting which) { return settings[static_cast<int>(which)]; }
};

/// A point where other ranks are heard: calls the context's exchange with the topic and the data (whose bytes it may
/// change).
struct Exchange {
  int topic = 0;
  InOut data;
  auto operands() { return std::tie(data); }
};

Step prepare(const AdamStep&, const CpuContext&);
Step prepare(const Exchange&, const CpuContext&);

}  // namespace kernels
