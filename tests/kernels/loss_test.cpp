#include "kernels/loss.h"

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;

Values losses(const Values& output, const Values& noise, const Values& weight, double sign) {
  Values result(weight.size());
  const std::size_t each = output.size() / weight.size();
  for (std::size_t i = 0; i < output.size(); ++i) {
    const double residual = noise[i] + sign * output[i];
    result[i / each] += weight[i / each] * residual * residual / static_cast<double>(each);
  }
  return result;
}

TEST(NoiseLoss, AgreesWithItsDefinition) {
  for (float sign : {-1.0f, 1.0f}) {
    for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{3, 4, 5, 3}, Shape{2, 32, 32, 3}}) {
      Arena arena(1);
      const NoiseLoss op{.output = arena.uniform(shape),
                         .noise = arena.uniform(shape),
                         .weight = arena.uniform({shape[0]}, 0, 3),
                         .sign = sign,
                         .loss = arena.uniform({shape[0]})};
      arena.run(op);
      expect_close(arena.values(op.loss),
                   losses(arena.values(op.output), arena.values(op.noise), arena.values(op.weight), sign), 1e-6,
                   "loss");
    }
  }
}

TEST(NoiseLossGradient, AgreesWithFiniteDifferences) {
  for (float sign : {-1.0f, 1.0f}) {
    Arena arena(2);
    const Shape shape{3, 2, 2, 3};
    const NoiseLossGradient op{.output = arena.uniform(shape),
                               .noise = arena.uniform(shape),
                               .weight = arena.uniform({3}, 0, 3),
                               .dloss = arena.uniform({3}),
                               .sign = sign,
                               .doutput = arena.uniform(shape)};
    arena.run(op);
    const Values dloss = arena.values(op.dloss);
    const auto sum = [&](const Values& output) {
      const Values each = losses(output, arena.values(op.noise), arena.values(op.weight), sign);
      return each[0] * dloss[0] + each[1] * dloss[1] + each[2] * dloss[2];
    };
    expect_gradient(sum, arena.values(op.output), arena.values(op.doutput), 1e-5, "doutput");
  }
}

}  // namespace
}  // namespace kernels::test
