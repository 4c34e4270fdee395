#include "core/model/unet.h"

#include <algorithm>
#include <cmath>

#include "core/model/blocks.h"

namespace core::model {

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
  return spec;
}

UNet record_unet(Program& program, const UNetSpec& spec, const Tensor& x, const Tensor& label,
                 const DropoutKeys* keys) {
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
  const Tensor time = blocks.time_embedding(label);  // [n, 4 channels]
  Feature h = blocks.input(x);                       // [n, size, size, channels]
  std::vector<Feature> skips = {h};

  for (int level = 0; level < levels; ++level) {  // down: [n, size/2^level, size/2^level, width]
    for (int block = 0; block < spec.blocks; ++block) {
      segment(fmt::format("down.{}.{}", level, block));
      h = blocks.residual(h, nullptr, time, width(level), Resample::none);
      if (attends(h)) {
        segment(fmt::format("down.{}.{}.attention", level, block));
        h = blocks.attention(h);
      }
      skips.push_back(h);
    }
    if (level + 1 < levels) {
      segment(fmt::format("down.{}.half", level));
      h = blocks.residual(h, nullptr, time, width(level), Resample::down);
      skips.push_back(h);
    }
  }

  segment("middle.0");
  h = blocks.residual(h, nullptr, time, width(levels - 1), Resample::none);
  segment("middle.attention");
  h = blocks.attention(h);
  segment("middle.1");
  h = blocks.residual(h, nullptr, time, width(levels - 1), Resample::none);

  for (int level = levels - 1; level >= 0; --level) {  // up, each block with the skip of its mirror image
    for (int block = 0; block <= spec.blocks; ++block) {
      segment(fmt::format("up.{}.{}", level, block));
      const Feature skip = skips.back();
      skips.pop_back();
      h = blocks.residual(h, &skip, time, width(level), Resample::none);
    }
    if (attends(h)) {  // once, after the last block of the level
      segment(fmt::format("up.{}.attention", level));
      h = blocks.attention(h);
    }
    if (level > 0) {
      segment(fmt::format("up.{}.double", level));
      h = blocks.residual(h, nullptr, time, width(level), Resample::up);
    }
  }

  program.begin_segment();
  const Tensor output = blocks.output(h);  // [n, size, size, image channels]
  return {output, blocks.reference()};
}

}  // namespace core::model
