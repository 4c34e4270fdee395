#include "distributed/assessment.h"

#include "core/likelihood/report.h"
#include "core/sde/sde.h"
#include "distributed/binding.h"
#include "distributed/curves.h"
#include "distributed/drawing.h"
#include "distributed/settings.h"

namespace distributed {

Assessment::Assessment(const core::config::RunConfig& config, Communicator& communicator, const Parameters& parameters,
                       const Mirrored& ema, const std::shared_ptr<kernels::Device>& device,
                       const core::data::Dataset& training, const core::data::Dataset* heldout)
    : config_(config), communicator_(communicator), parameters_(parameters), own_ema_(ema) {
  const bool evaluates = config.training().evaluate_every() > 0;
  if (evaluates && heldout) {
    require_same_classes(config, training, *heldout);
    if (const auto entropy = heldout->entropy()) entropy_ = entropy->bits_per_dim;
    evaluator_.emplace(config, communicator, *heldout, config.training().evaluate_images());
  } else if (evaluates && leads()) {
    fmt::print("data.heldout: is not set: nothing is evaluated on the way\n");
  }
  if (!is_wanted(config, heldout != nullptr)) return;
  ema_.emplace(parameters.layout().total);
  mirrored_ema_.emplace(device, ema_->span(), "averaged weights");
  network_ = std::make_unique<core::objective::ScoreNetwork>(core::model::unet_spec(config), core::sde::sde_of(config),
                                                             config.evaluation().batch_images(), device,
                                                             storage_of(config.evaluation().activations()));
  bind_flat(*network_, parameters.layout(), mirrored_ema_->device());
}

void Assessment::gather_ema() {
  own_ema_.to_host();
  std::ranges::copy(own_ema_.host(), parameters_.range().of(ema_->span()).begin());
  if (parameters_.sharding() == Sharding::optimizer) gather_shards(communicator_, ema_->span());
  mirrored_ema_->to_device();
}

void Assessment::evaluate(std::int64_t step, Metrics* metrics) {
  if (!evaluator_) return;
  gather_ema();
  std::vector<double> totals;
  for (const core::likelihood::BoundTerms& terms : evaluator_->bound(*network_)) totals.push_back(terms.total());
  if (!metrics) return;
  const core::likelihood::Summary bound = core::likelihood::summarise(totals);
  fmt::print("step {}/{}  held-out bound {:.4f} {} bits/dim on {} images\n", step, config_.training().steps(),
             bound.mean, core::likelihood::error_text(bound.standard_error), bound.images);
  std::fflush(stdout);
  metrics->write_heldout(step, bound.mean, bound.standard_error, bound.images);
  draw_curves(config_.training().directory(), entropy_);
}

void Assessment::sample(std::int64_t step, Metrics* metrics) {
  gather_ema();
  Drawn drawn;
  try {
    drawn = draw_images(config_, communicator_, *network_, config_.training().sample_images(), {});
  } catch (const kernels::RunError& error) {  // on every rank
    if (metrics) fmt::print(stderr, "step {}: no samples: {}\n", step, error.what());
    return;
  }
  if (!metrics) return;
  const core::picture::Picture picture = grid_of(drawn, config_);
  const auto file = std::filesystem::path(config_.training().directory()) / fmt::format("samples_{:010}.png", step);
  core::picture::write_png(file, picture);
  metrics->write_picture(step, "samples", picture);
  fmt::print("step {}/{}  {} samples, {} evaluations each: {}\n", step, config_.training().steps(), drawn.count,
             drawn.evaluations, file.string());
  std::fflush(stdout);
}

void Assessment::conclude() const {
  if (!leads()) return;
  draw_curves(config_.training().directory(), entropy_);
  fmt::print("{}", heldout_table(config_.training().directory(), entropy_));
}

}  // namespace distributed
