// The run that tests train in seconds, and pictures for it.
#pragma once

#include <gtest/gtest.h>

#include "core/picture/png.h"
#include "tests/launch/process.h"

namespace tests {

/// A network small enough to train for 50 steps in seconds, with dropout, flips, attention and uneven shards.
inline const std::string tiny =
    "--config configs/quickstart.textproto --set 'model { channels: 8 channel_multipliers: [1, 2] dropout: 0.2 "
    "attention_sizes: 4 } "
    "data { image_size: 8 horizontal_flip: true } training { micro_batches: 6 micro_batch_images: 3 steps: 50 "
    "evaluate_every: 0 log_every: 1 checkpoint_every: 25 } "
    "optimizer { warmup_steps: 1 }' ";

inline std::string in(const std::filesystem::path& folder, const std::string& extra = "") {
  return "--set 'training { directory: \"" + folder.string() + "\" " + extra + "}' ";
}

inline void expect_success(const tests::Outcome& outcome) {
  ASSERT_EQ(outcome.status, 0) << outcome.output;
}

/// Twelve pictures of 8x8 in two classes, dark and bright.
inline void write_two_classes(const std::filesystem::path& folder) {
  for (const char* name : {"dark", "bright"}) {
    std::filesystem::create_directories(folder / name);
    for (int i = 0; i < 6; ++i) {
      core::picture::Picture picture{.width = 8, .height = 8, .channels = 1, .pixels = {}};
      for (int p = 0; p < 64; ++p)
        picture.pixels.push_back(static_cast<std::uint8_t>((name[0] == 'd' ? 40 : 200) + (7 * i + 3 * p) % 16));
      core::picture::write_png(folder / name / (std::to_string(i) + ".png"), picture);
    }
  }
}

}  // namespace tests
