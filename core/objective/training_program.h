// The training step of one micro-batch as a program: pixels to loss to gradients.
#pragma once

#include <vector>

#include "core/config/run.pb.h"
#include "core/program/differentiate.h"
#include "core/program/program.h"

namespace core::objective {

/// What the caller fills before a run and reads after it. b is the number of images of a micro-batch.
struct TrainingProgram {
  program::Program program;
  program::Tensor pixels;         // in: [b,h,w,c] u8, or those of all resident images
  program::Tensor samples;        // in: [b] i64, which of the resident images are taken; else absent
  program::Tensor labels;         // in: [b] i64, the images' classes; absent where model.classes is 0
  program::Tensor positions;      // in: [b] i64, the images' global positions: the key of all that is random about them
  program::Tensor loss_gradient;  // in: [b], what each image's loss counts for in the sum that is minimised
  program::Tensor loss, time;     // out: [b] weighted squared residual per dimension, and the time it was drawn at
  std::vector<program::Tensor> gradients;  // by parameter, in the parameters' order
};

/// Records dequantise → flip → time → noise → perturb → UNet → weighted residual → loss, and its reverse with respect
/// to every parameter. `config` is valid (core::config::load_valid). Where some number of images is resident they are
/// uploaded once, before the first run.
TrainingProgram record_training(const config::RunConfig& config, std::int64_t resident_images = 0);

}  // namespace core::objective
