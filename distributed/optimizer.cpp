#include "distributed/optimizer.h"

#include <array>
#include <cmath>
#include <numbers>

namespace distributed {

using core::program::Program;
using core::program::Role;
using core::program::Tensor;
using kernels::AdamSetting;

double learning_rate(const core::config::RunConfig& config, std::int64_t step) {
  const auto& optimizer = config.optimizer();
  const auto warmup = static_cast<double>(optimizer.warmup_steps());
  const double done = static_cast<double>(step) + 1;
  if (done <= warmup) return optimizer.learning_rate() * done / warmup;
  if (optimizer.decay() != core::config::COSINE) return optimizer.learning_rate();
  const double share = (done - warmup) / (static_cast<double>(config.training().steps()) - warmup);
  return optimizer.learning_rate() * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

double ema_decay(const core::config::Optimizer& optimizer, std::int64_t step) {
  if (!optimizer.ema_warmup()) return optimizer.ema();
  return std::min(optimizer.ema(), (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
}

Optimizer::Optimizer(const core::config::RunConfig& config, const MirroredParameters& parameters, Range range,
                     std::shared_ptr<kernels::Device> device)
    : config_(config) {
  if (range.size() == 0) return;
  Program program;
  settings_ = program.input("settings", {static_cast<std::int64_t>(AdamSetting::count)});
  const auto flat = [&](const char* name) { return program.tensor(name, {range.size()}, Role::parameter); };
  const Tensor gradient = flat("gradient"), weights = flat("weights"), m = flat("m"), v = flat("v"), ema = flat("ema");
  program.record(kernels::AdamStep{.gradient = gradient,
                                   .settings = settings_,
                                   .weights = weights,
                                   .m = m,
                                   .v = v,
                                   .ema = ema,
                                   .beta1 = config.optimizer().beta1(),
                                   .beta2 = config.optimizer().beta2(),
                                   .epsilon = config.optimizer().epsilon()});
  executor_ = std::make_unique<core::program::Executor>(program, std::move(device));
  executor_->bind(gradient, range.of(parameters.gradient.device()));
  executor_->bind(weights, range.of(parameters.weights.device()));
  executor_->bind(m, parameters.m.device());
  executor_->bind(v, parameters.v.device());
  executor_->bind(ema, parameters.ema.device());
}

void Optimizer::step(std::int64_t step, double gradient_norm) {
  if (!executor_) return;
  const auto& optimizer = config_.optimizer();
  std::array<float, static_cast<std::size_t>(AdamSetting::count)> settings;
  const auto set = [&](AdamSetting which, double value) {
    settings[static_cast<std::size_t>(which)] = static_cast<float>(value);
  };
  const double updates = static_cast<double>(step) + 1;
  set(AdamSetting::learning_rate, learning_rate(config_, step));
  set(AdamSetting::gradient_scale,
      gradient_norm > optimizer.gradient_clip() ? optimizer.gradient_clip() / gradient_norm : 1.0);
  set(AdamSetting::first_correction, -std::expm1(updates * std::log(optimizer.beta1())));
  set(AdamSetting::second_correction, -std::expm1(updates * std::log(optimizer.beta2())));
  set(AdamSetting::ema_share, 1 - ema_decay(optimizer, step));
  executor_->upload(settings_, std::span<const float>(settings));
  executor_->run();
}

}  // namespace distributed
