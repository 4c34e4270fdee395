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

/// dx0 and dx1 from the gradient of their concatenation along the channels.
void split_channels(const Tensor& x0, const Tensor& x1, const Tensor& gradient, Tape& tape) {
  const auto dx0 = tape.contribute(x0), dx1 = tape.contribute(x1);
  const std::int64_t c0 = x0.shape[x0.shape.rank() - 1];
  if (dx0.tensor) tape.record(AddScaled{.x = gradient, .y = dx0.tensor, .mode = dx0.mode});
  if (dx1.tensor) tape.record(AddScaled{.x = gradient, .y = dx1.tensor, .first_channel = c0, .mode = dx1.mode});
}

/// Of the sources, from the gradient dz behind the prologue; through the norm where there is one.
void reverse_of_sources(const Conv& op, Tape& tape, const Tensor& dy) {
  const bool normed = static_cast<bool>(op.prologue.coefficients);
  const NormCoefficients* norm = normed ? &tape.norm_of(op.prologue.coefficients) : nullptr;
  if (!(tape.wants(op.x0) || tape.wants(op.x1) || (norm && tape.wants(norm->gamma)))) return;
  ensure(!norm || !tape.wants(norm->modulation) || tape.wants(norm->gamma),
         "a modulation's gradient is wanted only together with the norm's parameters'");
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
    const Tensor dmodulation =
        tape.wants(norm->modulation) ? tape.activation(name + " modulation", norm->modulation.shape) : Tensor();
    tape.record(NormGradient{.dz = dz,
                             .sums = sums,
                             .x0 = op.x0,
                             .x1 = op.x1,
                             .statistics = op.prologue.statistics,
                             .gamma = norm->gamma,
                             .beta = norm->beta,
                             .modulation = norm->modulation,
                             .dx0 = dx0.tensor,
                             .dx1 = dx1.tensor,
                             .dgamma = dgamma.tensor,
                             .dbeta = dbeta.tensor,
                             .dmodulation = dmodulation,
                             .mode0 = dx0.mode,
                             .mode1 = dx1.mode,
                             .parameter_mode = dgamma.mode});
    if (dmodulation) tape.adopt(norm->modulation, dmodulation);
  } else if (!op.x1) {
    tape.adopt(op.x0, dz);
  } else {
    split_channels(op.x0, op.x1, dz, tape);
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

void reverse_of(const Affine& op, Tape& tape) {
  const auto dx = tape.contribute(op.x);
  tape.record(AddScaled{.x = tape.gradient(op.y), .y = dx.tensor, .scale = op.scale, .mode = dx.mode});
}

void reverse_of(const ScaleImages& op, Tape& tape) {
  ensure(!tape.wants(op.factor), "the factor of ScaleImages is given");
  const Tensor dx = tape.activation("gradient into " + tape.info(op.y).name, op.x.shape);
  tape.record(ScaleImages{.x = tape.gradient(op.y), .factor = op.factor, .y = dx});
  tape.adopt(op.x, dx);
}

void reverse_of(const Concatenate& op, Tape& tape) {
  ensure(op.axis == op.y.shape.rank() - 1, "only a concatenation of channels has a gradient");
  split_channels(op.x0, op.x1, tape.gradient(op.y), tape);
}

void reverse_of(const Resize& op, Tape& tape) {
  const Tensor dx = tape.activation("gradient into " + tape.info(op.y).name, op.x.shape);
  tape.record(ResizeGradient{.dy = tape.gradient(op.y), .resample = op.resample, .dx = dx});
  tape.adopt(op.x, dx);
}

void reverse_of(const LabelEmbedding& op, Tape& tape) {
  const Tensor dy = tape.gradient(op.y);
  if (const auto dx = tape.contribute(op.x); dx.tensor)
    tape.record(AddScaled{.x = dy, .y = dx.tensor, .mode = dx.mode});
  if (const auto dtable = tape.contribute(op.table); dtable.tensor) {
    tape.record(LabelEmbeddingGradient{.dy = dy, .labels = op.labels, .dtable = dtable.tensor, .mode = dtable.mode});
  }
}

/// The frequencies are not trained: their gradient is 0.
void reverse_of(const FourierEmbedding& op, Tape& tape) {
  const auto gradient = tape.contribute(op.frequencies);
  tape.record(AddScaled{.x = op.frequencies, .y = gradient.tensor, .scale = 0, .mode = gradient.mode});
}

void reverse_of(const FourierFeatures& op, Tape& tape) {
  const Tensor dx = tape.activation("gradient into " + tape.info(op.y).name, op.x.shape);
  tape.record(
      FourierFeaturesGradient{.x = op.x, .dy = tape.gradient(op.y), .first = op.first, .count = op.count, .dx = dx});
  tape.adopt(op.x, dx);
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
void reverse_of(const DropLabels&, Tape&) {
  refuse("DropLabels");
}
void reverse_of(const AddScaled&, Tape&) {
  refuse("AddScaled");
}
void reverse_of(const ResizeGradient&, Tape&) {
  refuse("ResizeGradient");
}
void reverse_of(const LabelEmbeddingGradient&, Tape&) {
  refuse("LabelEmbeddingGradient");
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
void reverse_of(const FourierFeaturesGradient&, Tape&) {
  refuse("FourierFeaturesGradient");
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
void reverse_of(const AddTerms&, Tape&) {
  refuse("AddTerms");
}
void reverse_of(const SquareSums&, Tape&) {
  refuse("SquareSums");
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
