// What is stored as bf16 and what is not, on programs built by hand.
#include "core/program/storage.h"

#include <gtest/gtest.h>

#include "core/program/plan.h"

namespace core::program {
namespace {

using kernels::AddScaled;
using kernels::Conv;
using kernels::Silu;

Element element(const Program& program, const Tensor& tensor) {
  return program.info(tensor).tensor.element;
}

/// image -conv-> a -silu-> b -conv-> y, and what each test adds.
struct Images {
  Program program;
  Tensor x = program.input("x", {2, 4, 4, 3});
  Tensor w = program.parameter("w", {8, 3, 3, 3}, {}), v = program.parameter("v", {3, 3, 3, 8}, {});
  Tensor a = program.tensor("a", {2, 4, 4, 8}), b = program.tensor("b", a.shape);
  Tensor moments = program.tensor("moments", {2, 8, 2});
  Tensor y = program.tensor("y", {2, 4, 4, 3});
  Images() {
    program.record(Conv{.x0 = x, .weight = w, .y = a, .moments = moments});
    program.record(Silu{.x = a, .y = b});
    program.record(Conv{.x0 = b, .weight = v, .y = y});
  }
};

TEST(Storage, OnlyLargeActivationsAreNarrow) {
  const Images images;
  const Program narrow = stored(images.program, Storage::bf16);
  for (const Tensor& tensor : {images.a, images.b}) EXPECT_EQ(element(narrow, tensor), Element::bf16);
  for (const Tensor& tensor : {images.x, images.w, images.v, images.moments, images.y})
    EXPECT_EQ(element(narrow, tensor), Element::f32) << narrow.info(tensor).name;
}

TEST(Storage, EveryRecordNamesItsTensorsAsTheyAreStored) {
  Images images;
  const Program narrow = stored(images.program, Storage::bf16);
  int checked = 0;
  for (Op op : narrow.ops()) {
    kernels::for_each_operand(op, [&](const Tensor& operand) {
      EXPECT_EQ(operand.element, element(narrow, operand)) << narrow.info(operand).name;
      ++checked;
    });
  }
  EXPECT_EQ(checked, 9);
  EXPECT_EQ(plan_memory(narrow, std::vector<std::size_t>(3)).activation_bytes,
            plan_memory(images.program, std::vector<std::size_t>(3)).activation_bytes - 2 * 2 * 16 * 8 * 2);
}

TEST(Storage, WhatIsKeptStaysWide) {
  Images images;
  images.program.keep(images.b);
  const Program narrow = stored(images.program, Storage::bf16);
  EXPECT_EQ(element(narrow, images.b), Element::f32);
  EXPECT_EQ(element(narrow, images.a), Element::f32) << "Silu stores both alike";
}

TEST(Storage, WhatOneRecordWantsAlikeSpreads) {
  // A chain of sums from a that ends in an output: all of it must stay wide, whatever the order of the records.
  Images images;
  Tensor from = images.a;
  for (int i = 0; i < 3; ++i) {
    const Tensor to = images.program.tensor("sum", images.a.shape, i == 2 ? Role::output : Role::activation);
    images.program.record(AddScaled{.x = from, .y = to, .mode = kernels::Mode::overwrite});
    from = to;
  }
  const Program narrow = stored(images.program, Storage::bf16);
  for (const TensorInfo& info : narrow.tensors()) EXPECT_EQ(info.tensor.element, Element::f32) << info.name;
}

TEST(Storage, RecordsThatKnowNoBf16KeepTheirOperandsWide) {
  Images images;
  const Tensor z = images.program.tensor("z", images.a.shape), factor = images.program.input("factor", {2});
  images.program.record(
      kernels::Perturb{.x = images.b, .mean = factor, .deviation = factor, .positions = {}, .xt = z, .noise = {}});
  const Program narrow = stored(images.program, Storage::bf16);
  EXPECT_EQ(element(narrow, images.b), Element::f32);
  EXPECT_EQ(element(narrow, z), Element::bf16);
}

TEST(Storage, InF32IsTheProgramItself) {
  const Images images;
  const Program wide = stored(images.program, Storage::f32);
  for (std::size_t i = 0; i < wide.tensors().size(); ++i)
    EXPECT_EQ(wide.tensors()[i].tensor.element, images.program.tensors()[i].tensor.element);
}

}  // namespace
}  // namespace core::program
