#include "core/objective/training_program.h"

#include "core/config/load.h"
#include "core/model/unet.h"
#include "core/sde/sde.h"

namespace core::objective {

using program::Element;
using program::Role;
using program::Seed;
using program::Tensor;

TrainingProgram record_training(const config::RunConfig& config, std::int64_t resident_images) {
  const model::UNetSpec spec = model::unet_spec(config);
  const std::int64_t b = config.training().micro_batch_images(), size = spec.image_size, c = spec.image_channels;
  const auto seed = static_cast<std::uint64_t>(config.seed());
  const kernels::TimeLaw law = sde::time_law(config);

  TrainingProgram t;
  program::Program& p = t.program;
  t.pixels = p.input("pixels", {resident_images > 0 ? resident_images : b, size, size, c}, Element::u8);
  if (resident_images > 0) t.samples = p.input("samples", {b}, Element::i64);
  t.positions = p.input("positions", {b}, Element::i64);
  t.loss_gradient = p.input("loss gradient", {b});

  const Tensor x = p.tensor("x", {b, size, size, c});
  const Tensor mirrored = spec.told_mirrored ? p.tensor("mirrored", {b, 1}) : Tensor();
  p.record(kernels::Dequantise{.pixels = t.pixels,
                               .samples = t.samples,
                               .positions = t.positions,
                               .seed = seed,
                               .flip = config.data().horizontal_flip() ? kernels::Flip::random : kernels::Flip::never,
                               .range = sde::pixel_range(config),
                               .x = x,
                               .mirrored = mirrored});
  t.time = p.tensor("time", {b}, Role::output);
  const Tensor mean = p.tensor("mean coefficient", {b}), deviation = p.tensor("standard deviation", {b});
  const Tensor label = p.tensor("time label", {b}), weight = p.tensor("loss weight", {b});
  p.record(kernels::DrawTime{.positions = t.positions,
                             .seed = seed,
                             .global_batch = b * config.training().micro_batches(),
                             .law = law,
                             .time = t.time,
                             .mean = mean,
                             .deviation = deviation,
                             .label = label,
                             .weight = weight});
  const Tensor xt = p.tensor("x_t", x.shape), noise = p.tensor("noise", x.shape);
  p.record(kernels::Perturb{
      .x = x, .mean = mean, .deviation = deviation, .positions = t.positions, .seed = seed, .xt = xt, .noise = noise});

  const model::DropoutKeys keys{.seed = seed, .positions = t.positions};
  Tensor labels;
  if (spec.classes > 0) {
    t.labels = p.input("labels", {b}, Element::i64);
    labels = p.tensor("labels told", {b}, Role::activation, Element::i64);
    p.record(kernels::DropLabels{.labels = t.labels,
                                 .positions = t.positions,
                                 .seed = seed,
                                 .null_label = spec.classes,
                                 .rate = static_cast<float>(config.model().null_label_probability()),
                                 .y = labels});
  }
  const model::UNetInput input{.x = xt, .time = label, .labels = labels, .mirrored = mirrored};
  const Tensor output = model::record_unet(p, spec, input, &keys).output;
  t.loss = p.tensor("loss", {b}, Role::output);
  p.record(kernels::NoiseLoss{
      .output = output, .noise = noise, .weight = weight, .sign = kernels::output_sign(law.sde), .loss = t.loss});

  std::vector<Tensor> parameters;
  for (const program::Parameter& parameter : p.parameters()) parameters.push_back(parameter.tensor);
  const Seed seeds[] = {{t.loss, t.loss_gradient}};
  const bool recompute = config.training().recompute() == config::BLOCKS;
  t.gradients =
      program::differentiate(p, seeds, parameters,
                             {.parameter_mode = kernels::Mode::overwrite,
                              .recompute = recompute ? program::Recompute::segments : program::Recompute::keep});
  return t;
}

}  // namespace core::objective
