// Names for blocks of memory: a Tensor says what is stored and in which role an operation uses it; it holds nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>

#include "kernels/bf16.h"
#include "kernels/check.h"

namespace kernels {

enum class Element : std::uint8_t { f32, f64, i64, u8, bf16 };

/// Bytes of one element.
constexpr std::size_t bytes(Element element) {
  constexpr std::size_t table[] = {4, 8, 8, 1, 2};
  return table[static_cast<std::size_t>(element)];
}

/// The element type that C++ type T is stored as.
template <typename T>
constexpr Element element_of();
template <>
constexpr Element element_of<float>() {
  return Element::f32;
}
template <>
constexpr Element element_of<double>() {
  return Element::f64;
}
template <>
constexpr Element element_of<std::int64_t>() {
  return Element::i64;
}
template <>
constexpr Element element_of<std::uint8_t>() {
  return Element::u8;
}
template <>
constexpr Element element_of<Bf16>() {
  return Element::bf16;
}

/// Up to four extents, slowest first: [n,h,w,c] for images, [k,r,s,c] for convolution weights, [n,c] and [n] for rows.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) : rank_(static_cast<int>(extents.size())) {
    ensure(extents.size() <= 4, "a tensor has at most four dimensions");
    std::size_t i = 0;
    for (std::int64_t extent : extents) extents_[i++] = extent;
  }
  int rank() const { return rank_; }
  std::int64_t operator[](int i) const { return extents_[static_cast<std::size_t>(i)]; }
  std::int64_t elements() const {
    std::int64_t product = 1;
    for (int i = 0; i < rank_; ++i) product *= (*this)[i];
    return product;
  }
  bool operator==(const Shape&) const = default;

 private:
  std::array<std::int64_t, 4> extents_{};
  int rank_ = 0;
};

/// One tensor of one program. A default-constructed Tensor is absent: an operand that an operation does without.
struct Tensor {
  std::int32_t id = -1;
  Element element = Element::f32;
  Shape shape;
  explicit operator bool() const { return id >= 0; }
  std::size_t size_bytes() const { return static_cast<std::size_t>(shape.elements()) * bytes(element); }
};

/// The three ways in which an operation touches a tensor.
struct In : Tensor {
  In() = default;
  In(const Tensor& t) : Tensor(t) {}
};
struct Out : Tensor {
  Out() = default;
  Out(const Tensor& t) : Tensor(t) {}
};
struct InOut : Tensor {
  InOut() = default;
  InOut(const Tensor& t) : Tensor(t) {}
};

/// Of where tensors and scratch begin, in bytes: vectors of the CPU want 64, cuBLASLt's workspace 256.
inline constexpr std::size_t memory_alignment = 256;

/// Where the tensors of a program lie, and the scratch of the step that runs.
struct Memory {
  std::span<std::byte* const> base;  // by tensor id
  std::byte* scratch = nullptr;      // as many bytes as the step asked for

  template <typename T>
  T* at(const Tensor& tensor) const {
    return tensor ? reinterpret_cast<T*>(base[static_cast<std::size_t>(tensor.id)]) : nullptr;
  }
};

/// A prepared operation: run it as often as wanted, on whatever memory it is given.
struct Step {
  std::function<void(const Memory&)> run;
  std::size_t scratch_bytes = 0;
};

}  // namespace kernels
