// The score network: one builder that records the DDPM++ UNet (Song et al. 2021, "ncsnpp" with BigGAN blocks).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "core/program/program.h"

namespace core::model {

using program::Program;
using program::Tensor;

struct UNetSpec {
  int image_size = 32, image_channels = 3;
  int channels = 128;                                   // of level 0; a multiple of 4
  std::vector<int> channel_multipliers = {1, 2, 2, 2};  // one a level; the image is halved between levels
  int blocks = 4;                                       // per level on the way down, one more on the way up
  std::vector<int> attention_sizes = {16};
  float dropout = 0;
  float residual_scale = 0.70710678f;  // of every residual sum; 1: none
};

UNetSpec unet_spec(const config::RunConfig& config);

/// What training adds to the network: the key of its dropout masks.
struct DropoutKeys {
  std::uint64_t seed;
  Tensor positions;  // [n] i64
};

/// How a parameter of the reference implementation becomes one of ours.
enum class ReferenceLayout : std::uint8_t {
  same,
  oihw,
  in_out
};  // as it is; [k,c,r,s] -> [k,r,s,c]; [c,k] -> [k,1,1,c]
struct ReferenceParameter {
  std::vector<std::string> names;  // several: stacked along the first dimension
  ReferenceLayout layout;
};

struct UNet {
  Tensor output;                              // [n,h,w,c]
  std::vector<ReferenceParameter> reference;  // by parameter, in their order
};

/// Records the network on x[n,h,w,c] and label[n] (the time as the network is told it); dropout only where keys are
/// given. Throws InputError for a spec that cannot be built.
UNet record_unet(Program& program, const UNetSpec& spec, const Tensor& x, const Tensor& label, const DropoutKeys* keys);

}  // namespace core::model
