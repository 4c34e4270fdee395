#include "distributed/batches.h"

namespace distributed {

Batches::Batches(const core::data::Dataset& dataset, const core::data::Loader& loader, std::int64_t images,
                 bool with_pixels)
    : dataset_(dataset), loader_(loader) {
  for (Batch* batch : {&taken_, &next_}) {
    if (with_pixels) batch->pixels.resize(images * dataset.shape().elements());
    batch->samples.resize(images);
    batch->positions.resize(images);
    batch->labels.resize(images);
  }
}

const Batch& Batches::take(std::int64_t step, int micro_batch) {
  if (next_.step != step || next_.micro_batch != micro_batch) make(next_, step, micro_batch);
  std::swap(taken_, next_);
  return taken_;
}

void Batches::make(Batch& batch, std::int64_t step, int micro_batch) const {
  batch.step = step;
  batch.micro_batch = micro_batch;
  const auto images = std::ssize(batch.samples);
  loader_.fill(step, micro_batch * images, images, batch.pixels, batch.samples, batch.positions);
  for (std::int64_t i = 0; i < images; ++i) batch.labels[i] = dataset_.label(batch.samples[i]);
}

}  // namespace distributed
