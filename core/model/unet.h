// The score network: one builder that records the UNets of the field, each a setting of it: the original DDPM network
// (Ho et al. 2020), DDPM++ and NCSN++ (Song et al. 2021), the networks for ImageNet 64 (Dhariwal and Nichol 2021), and
// VDM's (Kingma et al. 2021).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "core/program/program.h"

namespace core::model {

using program::Program;
using program::Tensor;

/// What changes the image between levels: residual blocks that resample within (BigGAN), or a convolution that does
/// nothing else (DDPM).
enum class Block : std::uint8_t { biggan, ddpm };
/// Means of 2x2 and nearest pixels, or the filter (1,3,3,1).
enum class Filter : std::uint8_t { box, fir };
enum class Embedding : std::uint8_t { positional, fourier };
/// An image beside the network that is resampled from level to level. Going down it is joined with the features: `skip`
/// through a 1x1 convolution, `residual` as the sum of both, which goes on as either. Going up each level adds to it:
/// `skip` an image, of which the last is the output; `residual` the features, which go on as the sum.
enum class Pyramid : std::uint8_t { none, skip, residual };
enum class Combine : std::uint8_t { sum, concatenate };  // how a Pyramid::skip is joined going down
/// How a block is told the time: added to its features, or as scale and shift of its second norm.
enum class TimeInput : std::uint8_t { add, modulate };
/// What the last convolution gives: the noise, VE's score times its standard deviation (which is the time that the
/// network is told), or that score itself.
enum class Prediction : std::uint8_t { noise, scaled_score, score };
enum class UpAttention : std::uint8_t { after_level, after_block };

struct UNetSpec {
  int image_size = 32, image_channels = 3;
  int channels = 128;                                   // of level 0; a multiple of 4
  std::vector<int> channel_multipliers = {1, 2, 2, 2};  // one a level; the image is halved between levels
  int blocks = 4;                                       // per level on the way down, one more on the way up
  std::vector<int> attention_sizes = {16};
  float dropout = 0;
  float residual_scale = 0.70710678f;  // of every residual sum; 1: none
  Block block = Block::biggan;
  Filter filter = Filter::box;
  Embedding embedding = Embedding::positional;
  float fourier_scale = 16;  // standard deviation of the Fourier embedding's frequencies
  Pyramid input_pyramid = Pyramid::none, output_pyramid = Pyramid::none;
  Combine combine = Combine::sum;
  TimeInput time_input = TimeInput::add;
  UpAttention up_attention = UpAttention::after_level;
  int head_channels = 0;                // of an attention head; 0: one head of all channels
  int group_channels = 4;               // a norm has min(c / group_channels, 32) groups
  bool resampled_shortcut_conv = true;  // a block that resamples has a 1x1 convolution on its shortcut
  bool unit_range = false;              // images are in [0, 1]; the network takes them to [-1, 1]
  Prediction prediction = Prediction::noise;
  // What VDM has (Kingma et al. 2021): sines and cosines of 2 pi 2^e x beside x, for `fourier_features` exponents e
  // from `first_fourier_exponent`; blocks' projections of the time without bias, 0 at the start; x added to the output;
  // and being told which images training mirrored.
  int fourier_features = 0, first_fourier_exponent = 6;
  bool time_bias = true;
  bool adds_input = false;
  bool told_mirrored = false;
  int classes = 0;          // 0: the network is told no class
  bool null_label = false;  // label `classes` stands for no class

  /// Rows of the table of labels.
  int labels() const { return classes + (null_label ? 1 : 0); }
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

/// What the network is given.
struct UNetInput {
  Tensor x;         // [n,h,w,c]
  Tensor time;      // [n], the time as the network is told it
  Tensor labels;    // [n] i64 in 0..spec.labels()-1; present if and only if there are classes
  Tensor mirrored;  // [n,1], 1 for a mirrored image and 0 for others; present if and only if spec.told_mirrored
};

/// All of them as inputs of the program, for n images.
UNetInput unet_input(Program& program, const UNetSpec& spec, std::int64_t n);

struct UNet {
  Tensor output;                              // [n,h,w,c]; the score is sign * output / s(t)
  std::vector<ReferenceParameter> reference;  // by parameter, in their order
};

/// Records the network; dropout only where keys are given. Throws InputError for a spec that cannot be built.
UNet record_unet(Program& program, const UNetSpec& spec, const UNetInput& input, const DropoutKeys* keys);

}  // namespace core::model
