#include "kernels/ops.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <typeinfo>

namespace kernels {
namespace {

/// Multiply-adds of a convolution from its output (or the output's gradient) and its weights.
double macs(const Tensor& y, const Tensor& weight) {
  return static_cast<double>(y.shape.elements()) / static_cast<double>(weight.shape[0]) *
         static_cast<double>(weight.shape.elements());
}

/// Multiply-adds of one T x T x d product for every image and head.
double attention_macs(const Tensor& qkv) {
  const double pixels = static_cast<double>(qkv.shape[1] * qkv.shape[2]);
  return static_cast<double>(qkv.shape[0]) * pixels * pixels * static_cast<double>(qkv.shape[3]) / 3;
}

double multiply_adds(const Linear& op) {
  return macs(op.y, op.weight);
}
double multiply_adds(const LinearDataGradient& op) {
  return macs(op.dy, op.weight);
}
double multiply_adds(const LinearWeightGradient& op) {
  return macs(op.dy, op.dweight);
}
double multiply_adds(const Conv& op) {
  return macs(op.y, op.weight);
}
double multiply_adds(const ConvDataGradient& op) {
  return macs(op.dy, op.weight);
}
double multiply_adds(const ConvWeightGradient& op) {
  return macs(op.dy, op.dweight);
}
double multiply_adds(const Attention& op) {
  return 2 * attention_macs(op.qkv);
}  // q k^T, p v
double multiply_adds(const AttentionGradient& op) {
  return 5 * attention_macs(op.qkv);
}  // and dp, dq, dk, dv
template <typename Other>
double multiply_adds(const Other&) {
  return 0;
}

}  // namespace

std::string name(const Op& op) {
  return std::visit(
      [](const auto& record) {
        const std::unique_ptr<char, decltype(&std::free)> demangled(
            abi::__cxa_demangle(typeid(record).name(), nullptr, nullptr, nullptr), &std::free);
        const std::string full = demangled.get();
        return full.substr(full.rfind(':') + 1);
      },
      op);
}

double flops(const Op& op) {
  return std::visit([](const auto& record) { return 2 * multiply_adds(record); }, op);
}

}  // namespace kernels
