// The images of micro-batches, those of the next one made ready while the device computes.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/data/loader.h"

namespace distributed {

/// Of each image of a micro-batch.
struct Batch {
  std::int64_t step = -1;
  int micro_batch = 0;
  std::vector<std::uint8_t> pixels;  // none where the device has all images
  std::vector<std::int64_t> samples, positions, labels;
};

class Batches {
 public:
  /// `images` of each micro-batch. `dataset` must outlive it.
  Batches(const core::data::Dataset& dataset, const core::data::Loader& loader, std::int64_t images, bool with_pixels);

  /// The micro-batch, until the next call; made now, unless it was made ready before.
  const Batch& take(std::int64_t step, int micro_batch);
  void make_ready(std::int64_t step, int micro_batch) { make(next_, step, micro_batch); }

 private:
  void make(Batch& batch, std::int64_t step, int micro_batch) const;

  const core::data::Dataset& dataset_;
  core::data::Loader loader_;
  Batch taken_, next_;
};

}  // namespace distributed
