// The gradient of each record. One overload per record: one that is missing does not compile.
#include <stdexcept>

#include "core/program/tape.h"

namespace core::program {
namespace {

using namespace kernels;

/// A weight and its bias are written by one record, in one mode: where a weight is shared its bias must be shared too.
void expect_one_mode(const Contribution& weight, const Contribution& bias) {
  ensure(!bias.tensor || weight.mode == bias.mode, "records that share a weight share its bias");
}

void reverse_of(const Silu& op, Tape& tape) {
  const auto dx = tape.contribute(op.x);
  tape.record(SiluGradient{.x = op.x, .dy = tape.gradient(op.y), .dx = dx.tensor, .mode = dx.mode});
}

void reverse_of(const Linear& op, Tape& tape) {
  const Tensor dy = tape.gradient(op.y);
  if (const auto dx = tape.contribute(op.x); dx.tensor) {
    tape.record(LinearDataGradient{.dy = dy, .weight = op.weight, .dx = dx.tensor, .mode = dx.mode});
  }
  if (const auto dweight = tape.contribute(op.weight); dweight.tensor) {
    const auto dbias = tape.contribute(op.bias);
    expect_one_mode(dweight, dbias);
    tape.record(LinearWeightGradient{
        .dy = dy, .x = op.x, .dweight = dweight.tensor, .dbias = dbias.tensor, .mode = dweight.mode});
  }
}

/// Of the sources, from the gradient dz behind the prologue; through the norm where there is one.
void reverse_of_sources(const Conv& op, Tape& tape, const Tensor& dy) {
  const bool normed = static_cast<bool>(op.prologue.coefficients);
  const NormCoefficients* norm = normed ? &tape.norm_of(op.prologue.coefficients) : nullptr;
  if (!(tape.wants(op.x0) || tape.wants(op.x1) || (norm && tape.wants(norm->gamma)))) return;
  const Shape& x = op.x0.shape;
  const std::int64_t c = op.weight.shape[3];
  const std::string name = "gradient into " + tape.info(op.y).name;
  const Tensor dz = tape.activation(name, {x[0], x[1], x[2], c});
  const Tensor sums = norm ? tape.activation(name + " sums", {x[0], c, 2}) : Tensor();
  tape.record(ConvDataGradient{.dy = dy,
                               .weight = op.weight,
                               .x0 = op.x0,
                               .x1 = op.x1,
                               .prologue = op.prologue,
                               .scale = op.scale,
                               .dz = dz,
                               .sums = sums});
  if (norm) {
    const auto dx0 = tape.contribute(op.x0), dx1 = tape.contribute(op.x1);
    const auto dgamma = tape.contribute(norm->gamma), dbeta = tape.contribute(norm->beta);
    tape.record(NormGradient{.dz = dz,
                             .sums = sums,
                             .x0 = op.x0,
                             .x1 = op.x1,
                             .statistics = op.prologue.statistics,
                             .gamma = norm->gamma,
                             .dx0 = dx0.tensor,
                             .dx1 = dx1.tensor,
                             .dgamma = dgamma.tensor,
                             .dbeta = dbeta.tensor,
                             .mode0 = dx0.mode,
                             .mode1 = dx1.mode,
                             .parameter_mode = dgamma.mode});
  } else if (!op.x1) {
    tape.adopt(op.x0, dz);
  } else {
    const auto dx0 = tape.contribute(op.x0), dx1 = tape.contribute(op.x1);
    if (dx0.tensor) tape.record(AddScaled{.x = dz, .y = dx0.tensor, .mode = dx0.mode});
    if (dx1.tensor) tape.record(AddScaled{.x = dz, .y = dx1.tensor, .first_channel = x[3], .mode = dx1.mode});
  }
}

void reverse_of(const Conv& op, Tape& tape) {
  const Tensor dy = tape.gradient(op.y);
  if (const auto residual = tape.contribute(op.residual); residual.tensor) {
    tape.record(AddScaled{.x = dy, .y = residual.tensor, .scale = op.scale, .mode = residual.mode});
  }
  if (tape.wants(op.weight)) {
    const auto dweight = tape.contribute(op.weight), dbias = tape.contribute(op.bias);
    expect_one_mode(dweight, dbias);
    const Tensor dembedding = tape.wants(op.embedding)
                                  ? tape.activation("gradient of " + tape.info(op.embedding).name, op.embedding.shape)
                                  : Tensor();
    tape.record(ConvWeightGradient{.dy = dy,
                                   .x0 = op.x0,
                                   .x1 = op.x1,
                                   .prologue = op.prologue,
                                   .scale = op.scale,
                                   .mode = dweight.mode,
                                   .dweight = dweight.tensor,
                                   .dbias = dbias.tensor,
                                   .dembedding = dembedding});
    if (dembedding) tape.adopt(op.embedding, dembedding);
  } else {
    ensure(!tape.wants(op.embedding), "an embedding's gradient is wanted only together with the weights'");
  }
  reverse_of_sources(op, tape, dy);
}

void reverse_of(const Attention& op, Tape& tape) {
  const Tensor dqkv = tape.activation("gradient of " + tape.info(op.qkv).name, op.qkv.shape);
  tape.record(AttentionGradient{
      .qkv = op.qkv, .y = op.y, .logsumexp = op.logsumexp, .dy = tape.gradient(op.y), .heads = op.heads, .dqkv = dqkv});
  tape.adopt(op.qkv, dqkv);
}

void reverse_of(const NoiseLoss& op, Tape& tape) {
  const Tensor doutput = tape.activation("gradient of " + tape.info(op.output).name, op.output.shape);
  tape.record(NoiseLossGradient{.output = op.output,
                                .noise = op.noise,
                                .weight = op.weight,
                                .dloss = tape.gradient(op.loss),
                                .sign = op.sign,
                                .doutput = doutput});
  tape.adopt(op.output, doutput);
}

/// A norm's gradient is recorded with the convolutions that apply it.
void reverse_of(const NormCoefficients&, Tape&) {}

[[noreturn]] void refuse(const char* record) {
  throw std::logic_error(std::string("a gradient is asked through ") + record + ", which has none");
}
void reverse_of(const TimeEmbedding&, Tape&) {
  refuse("TimeEmbedding");
}
void reverse_of(const Dequantise&, Tape&) {
  refuse("Dequantise");
}
void reverse_of(const DrawTime&, Tape&) {
  refuse("DrawTime");
}
void reverse_of(const Perturb&, Tape&) {
  refuse("Perturb");
}
void reverse_of(const AddScaled&, Tape&) {
  refuse("AddScaled");
}
void reverse_of(const LinearDataGradient&, Tape&) {
  refuse("LinearDataGradient");
}
void reverse_of(const LinearWeightGradient&, Tape&) {
  refuse("LinearWeightGradient");
}
void reverse_of(const SiluGradient&, Tape&) {
  refuse("SiluGradient");
}
void reverse_of(const ConvDataGradient&, Tape&) {
  refuse("ConvDataGradient");
}
void reverse_of(const ConvWeightGradient&, Tape&) {
  refuse("ConvWeightGradient");
}
void reverse_of(const NormGradient&, Tape&) {
  refuse("NormGradient");
}
void reverse_of(const AttentionGradient&, Tape&) {
  refuse("AttentionGradient");
}
void reverse_of(const NoiseLossGradient&, Tape&) {
  refuse("NoiseLossGradient");
}
void reverse_of(const AdamStep&, Tape&) {
  refuse("AdamStep");
}
void reverse_of(const Exchange&, Tape&) {
  refuse("Exchange");
}

}  // namespace

void reverse(const Op& op, Tape& tape) {
  std::visit([&](const auto& record) { reverse_of(record, tape); }, op);
}

}  // namespace core::program
