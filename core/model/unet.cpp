#include "core/model/unet.h"

#include <algorithm>
#include <cmath>

#include "core/model/blocks.h"

namespace core::model {
namespace {

Pyramid pyramid_of(config::Pyramid pyramid) {
  return pyramid == config::SKIP_PYRAMID       ? Pyramid::skip
         : pyramid == config::RESIDUAL_PYRAMID ? Pyramid::residual
                                               : Pyramid::none;
}

}  // namespace

UNetSpec unet_spec(const config::RunConfig& config) {
  const auto& model = config.model();
  UNetSpec spec;
  spec.image_size = config.data().image_size();
  spec.image_channels = config.data().channels();
  spec.channels = model.channels();
  spec.channel_multipliers.assign(model.channel_multipliers().begin(), model.channel_multipliers().end());
  spec.blocks = model.blocks();
  spec.attention_sizes.assign(model.attention_sizes().begin(), model.attention_sizes().end());
  spec.dropout = static_cast<float>(model.dropout());
  spec.residual_scale = model.skip_rescale() ? static_cast<float>(std::sqrt(0.5)) : 1.0f;
  spec.block = model.block() == config::DDPM ? Block::ddpm : Block::biggan;
  spec.filter = model.filter() == config::FIR ? Filter::fir : Filter::box;
  spec.embedding = model.time_embedding() == config::FOURIER ? Embedding::fourier : Embedding::positional;
  spec.fourier_scale = static_cast<float>(model.fourier_scale());
  spec.input_pyramid = pyramid_of(model.input_pyramid());
  spec.output_pyramid = pyramid_of(model.output_pyramid());
  spec.combine = model.pyramid_combine() == config::CONCATENATE ? Combine::concatenate : Combine::sum;
  spec.time_input = model.time_input() == config::MODULATE ? TimeInput::modulate : TimeInput::add;
  spec.up_attention = model.up_attention() == config::AFTER_BLOCK ? UpAttention::after_block : UpAttention::after_level;
  spec.head_channels = model.head_channels();
  spec.group_channels = model.group_channels();
  spec.resampled_shortcut_conv = model.resampled_shortcut_conv();
  spec.unit_range = config.data().pixel_range() == config::ZERO_TO_ONE;
  const bool ve = config.sde().kind() == config::VE;
  spec.prediction = !ve ? Prediction::noise : model.scale_by_sigma() ? Prediction::scaled_score : Prediction::score;
  spec.fourier_features = model.fourier_features();
  spec.first_fourier_exponent = model.first_fourier_exponent();
  spec.time_bias = model.time_bias();
  spec.adds_input = model.adds_input();
  spec.told_mirrored = model.told_mirrored();
  spec.classes = model.classes();
  spec.null_label = model.null_label_probability() > 0;
  return spec;
}

UNetInput unet_input(Program& program, const UNetSpec& spec, std::int64_t n) {
  return {.x = program.input("x", {n, spec.image_size, spec.image_size, spec.image_channels}),
          .time = program.input("time label", {n}),
          .labels = spec.classes > 0 ? program.input("labels", {n}, program::Element::i64) : Tensor(),
          .mirrored = spec.told_mirrored ? program.input("mirrored", {n, 1}) : Tensor()};
}

UNet record_unet(Program& program, const UNetSpec& spec, const UNetInput& input, const DropoutKeys* keys) {
  kernels::ensure(static_cast<bool>(input.labels) == (spec.classes > 0), "labels are given where there are classes");
  kernels::ensure(static_cast<bool>(input.mirrored) == spec.told_mirrored, "mirrored is given where it is told");
  Blocks blocks(program, spec, keys);
  const auto segment = [&](std::string place) {
    program.begin_segment();
    blocks.enter(std::move(place));
  };
  const auto attends = [&](const Feature& h) {
    return std::find(spec.attention_sizes.begin(), spec.attention_sizes.end(), h.size()) != spec.attention_sizes.end();
  };
  const int levels = static_cast<int>(spec.channel_multipliers.size());
  const auto width = [&](int level) {
    return std::int64_t{spec.channels} * spec.channel_multipliers[static_cast<std::size_t>(level)];
  };

  program.begin_segment();
  const Tensor time = blocks.time_embedding(input);  // [n, 4 channels]
  const Tensor image = blocks.image(input.x);
  Feature h = blocks.input(image);  // [n, size, size, channels]
  std::vector<Feature> skips = {h};
  Tensor input_pyramid = image, output_pyramid;

  for (int level = 0; level < levels; ++level) {  // down: [n, size/2^level, size/2^level, width]
    for (int block = 0; block < spec.blocks; ++block) {
      segment(fmt::format("down.{}.{}", level, block));
      h = blocks.residual(h, nullptr, time, width(level), Direction::same);
      if (attends(h)) {
        segment(fmt::format("down.{}.{}.attention", level, block));
        h = blocks.attention(h);
      }
      skips.push_back(h);
    }
    if (level + 1 == levels) break;
    segment(fmt::format("down.{}.half", level));
    h = blocks.resample(h, time, Direction::down);
    if (spec.input_pyramid != Pyramid::none) {
      segment(fmt::format("down.{}.pyramid", level));
      h = blocks.join_input_pyramid(input_pyramid, h);
    }
    skips.push_back(h);
  }

  segment("middle.0");
  h = blocks.residual(h, nullptr, time, h.channels(), Direction::same);
  segment("middle.attention");
  h = blocks.attention(h);
  segment("middle.1");
  h = blocks.residual(h, nullptr, time, h.channels(), Direction::same);

  for (int level = levels - 1; level >= 0; --level) {  // up, each block with the skip of its mirror image
    const auto attend = [&](const std::string& place) {
      segment(place + ".attention");
      h = blocks.attention(h);
    };
    for (int block = 0; block <= spec.blocks; ++block) {
      segment(fmt::format("up.{}.{}", level, block));
      const Feature skip = skips.back();
      skips.pop_back();
      h = blocks.residual(h, &skip, time, width(level), Direction::same);
      if (spec.up_attention == UpAttention::after_block && attends(h)) attend(fmt::format("up.{}.{}", level, block));
    }
    if (spec.up_attention == UpAttention::after_level && attends(h)) attend(fmt::format("up.{}", level));
    if (spec.output_pyramid != Pyramid::none) {
      segment(fmt::format("up.{}.pyramid", level));
      h = blocks.join_output_pyramid(output_pyramid, h);
    }
    if (level > 0) {
      segment(fmt::format("up.{}.double", level));
      h = blocks.resample(h, time, Direction::up);
    }
  }

  program.begin_segment();
  const Tensor output = spec.output_pyramid == Pyramid::skip ? output_pyramid : blocks.output(h, image);
  return {blocks.scaled(output, input.time), blocks.reference()};  // [n, size, size, image channels]
}

}  // namespace core::model
