#include <google/protobuf/text_format.h>

#include "core/config/load.h"
#include "core/config/overlay.h"
#include "kernels/check.h"

namespace core::config {
namespace {

/// What a field is when a config does not set it. Fields that are not here must be set.
constexpr const char* defaults = R"(
  name: "unnamed"
  seed: 42
  data { horizontal_flip: false unreadable: STOP pixel_range: MINUS_ONE_TO_ONE }
  sde { kind: VP beta_min: 0.1 beta_max: 20 sigma_min: 0.01 sigma_max: 50 }
  model { dropout: 0 skip_rescale: true block: BIGGAN filter: BOX time_embedding: POSITIONAL fourier_scale: 16
          input_pyramid: NO_PYRAMID output_pyramid: NO_PYRAMID pyramid_combine: SUM time_input: ADD
          up_attention: AFTER_LEVEL head_channels: 0 group_channels: 4 resampled_shortcut_conv: true
          scale_by_sigma: true classes: 0 null_label_probability: 0 time_label: TIME
          fourier_features: 0 first_fourier_exponent: 6 time_bias: true adds_input: false told_mirrored: false }
  objective { weighting: LIKELIHOOD time_sampling: IMPORTANCE loss_reduction: MEAN }
  optimizer { learning_rate: 2e-4 beta1: 0.9 beta2: 0.999 epsilon: 1e-8 warmup_steps: 5000 decay: CONSTANT
              gradient_clip: 1 ema: 0.9999 ema_warmup: false }
  training { micro_batches: 4 threads: 1 reduction: DETERMINISTIC sharding: NONE recompute: KEEP bucket_kib: 25600
             log_every: 50 checkpoint_every: 1000 keep_checkpoints: 3 evaluate_every: 0 evaluate_images: 256
             sample_every: 0 sample_images: 16 keep_every: 0 activations: FLOAT32 }
  evaluation { dequantisation: UNIFORM_NOISE batch_images: 32 bound_times: 20 passes: 1 ode_tolerance: 1e-5
               ode_max_evaluations: 10000 activations: FLOAT32 }
  sampling { sampler: EULER_MARUYAMA images: 64 steps: 1000 ode_tolerance: 1e-4 ode_max_evaluations: 10000
             grid: OF_SAMPLER finish: TWEEDIE ddim_eta: 0 corrector { kind: NO_CORRECTOR steps: 1 snr: 0.16 }
             churn { amount: 0 least_sigma: 0 largest_sigma: inf noise: 1 } guidance: 1 }
)";

/// Defaults of a source, by its kind.
constexpr const char* gaussian_field_defaults =
    "gaussian_field { first: 0 mean: 128 correlation: 0 channel_correlation: 0 }";
constexpr const char* uniform_pixels_defaults = "uniform_pixels { first: 0 }";

template <typename Message>
Message parsed(const char* text) {
  Message message;
  kernels::ensure(google::protobuf::TextFormat::ParseFromString(text, &message), "the defaults parse");
  return message;
}

void complete(Source& source) {
  if (!source.has_gaussian_field() && !source.has_uniform_pixels()) return;
  Source complete = parsed<Source>(source.has_gaussian_field() ? gaussian_field_defaults : uniform_pixels_defaults);
  merge(source, complete);
  source = complete;
}

}  // namespace

RunConfig with_defaults(const RunConfig& config) {
  RunConfig complete_config = parsed<RunConfig>(defaults);
  merge(config, complete_config);
  // What depends on another field is decided last, after every override.
  const SdeKind kind = complete_config.sde().kind();
  if (!complete_config.sde().has_smallest_time()) {
    complete_config.mutable_sde()->set_smallest_time(kind == SUB_VP ? 1e-2 : 1e-5);
  }
  if (!complete_config.training().has_directory()) {
    complete_config.mutable_training()->set_directory("runs/" + complete_config.name());
  }
  if (!complete_config.sampling().has_smallest_time()) {
    const double usual = kind == SUB_VP ? 1e-2 : kind == VP ? 1e-3 : 1e-5;
    complete_config.mutable_sampling()->set_smallest_time(std::max(usual, complete_config.sde().smallest_time()));
  }
  if (complete_config.data().has_training()) complete(*complete_config.mutable_data()->mutable_training());
  if (complete_config.data().has_heldout()) complete(*complete_config.mutable_data()->mutable_heldout());
  return complete_config;
}

}  // namespace core::config
