#include <google/protobuf/text_format.h>

#include "core/config/load.h"
#include "kernels/check.h"

namespace core::config {

std::string text(const RunConfig& config) {
  std::string text;
  kernels::ensure(google::protobuf::TextFormat::PrintToString(config, &text), "a config can be printed");
  return text;
}

std::string fixed_text(const RunConfig& config, const std::string& training_fingerprint) {
  RunConfig fixed = config;
  fixed.clear_name();
  fixed.clear_base();
  fixed.clear_evaluation();
  fixed.clear_sampling();
  fixed.mutable_data()->clear_heldout();
  std::string images;
  if (const Source& source = config.data().training(); source.has_files() || source.has_packed()) {
    // They may have been moved, packed or copied, and what lies there may have changed.
    fixed.mutable_data()->clear_training();
    images = fmt::format("data {{\n  training {{\n    fingerprint: \"{}\"\n  }}\n}}\n", training_fingerprint);
  }
  Training& training = *fixed.mutable_training();
  training.clear_directory();
  training.clear_log_every();
  training.clear_checkpoint_every();
  training.clear_keep_checkpoints();
  training.clear_evaluate_every();
  training.clear_evaluate_images();
  training.clear_sample_every();
  training.clear_sample_images();
  training.clear_keep_every();
  training.clear_sharding();   // who holds what: the sums are the same
  training.clear_recompute();  // computes the same bits again
  if (config.training().activations() == FLOAT32) training.clear_activations();  // as before there was a choice
  if (config.training().reduction() == DETERMINISTIC) training.clear_bucket_kib();
  return text(fixed) + images;
}

std::string network_text(const RunConfig& config) {
  RunConfig network;
  *network.mutable_model() = config.model();
  *network.mutable_sde() = config.sde();
  network.mutable_sde()->clear_smallest_time();
  network.mutable_data()->set_image_size(config.data().image_size());
  network.mutable_data()->set_channels(config.data().channels());
  network.mutable_data()->set_pixel_range(config.data().pixel_range());
  return text(network);
}

std::int64_t global_batch(const RunConfig& config) {
  return std::int64_t{config.training().micro_batches()} * config.training().micro_batch_images();
}

}  // namespace core::config
