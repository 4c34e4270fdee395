// From the gradients of micro-batches to the next weights, on ranges of the flat parameter space.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "kernels/cpu_context.h"
#include "kernels/portable.h"
#include "kernels/tensor.h"

namespace kernels {

/// sum += terms[0], then += terms[1] and so on; then copy = sum. All [n] f32 and
/// aligned to 16 bytes. There are as many terms as are present, from the first on.
struct AddTerms {
  static constexpr std::size_t most = 8;
  std::array<In, most> terms;
  InOut sum;
  Out copy;  // may be absent
  auto operands() {
    return std::apply([this](auto&... term) { return std::tie(term..., sum, copy); }, terms);
  }
};

/// How sums of squares divide a vector of `total` elements, so that a vector that is cut in any multiples of a block
/// has the bits of the whole one: by blocks of 64 elements, these by chunks of 64 Ki elements.
struct SquareBlocks {
  static constexpr std::int64_t block = 64, chunk = 64 * 1024;
};

/// Elements [begin, end) of one chunk of a vector: the whole chunk gives one number, a part of it one for each block.
struct SquarePart {
  std::int64_t begin, end;
  bool is_whole, ends_chunk;
  constexpr std::int64_t numbers() const { return is_whole ? 1 : (end - begin) / SquareBlocks::block; }
};
/// The part with which elements [begin, end) of a vector of `total` begin.
constexpr SquarePart first_square_part(std::int64_t begin, std::int64_t end, std::int64_t total) {
  const std::int64_t chunk = begin / SquareBlocks::chunk * SquareBlocks::chunk,
                     chunk_end = std::min(chunk + SquareBlocks::chunk, total);
  const bool ends_chunk = end >= chunk_end;
  return {begin, std::min(chunk_end, end), ends_chunk && begin == chunk, ends_chunk};
}
/// How many numbers they give.
std::int64_t square_numbers(std::int64_t begin, std::int64_t end, std::int64_t total);

/// The numbers, f64, of all parts of `values`, f32, which are the elements from `begin` on of a vector of `total`. A
/// block is summed in eight lanes, ((l0+l1)+(l2+l3))+((l4+l5)+(l6+l7)), and a chunk block after block.
struct SquareSums {
  In values;
  Out numbers;
  std::int64_t begin = 0, total = 0;
  auto operands() { return std::tie(values, numbers); }
};

/// What changes from step to step, in the tensor `settings` of AdamStep, [5] f32.
enum class AdamSetting : std::uint8_t {
  learning_rate,
  gradient_scale,     // what the summed gradient is multiplied by: averaging and clipping in one
  first_correction,   // 1 - beta1^step
  second_correction,  // 1 - beta2^step
  ema_share,          // 1 - decay of the averaged weights
  count
};

/// Adam (Kingma and Ba 2015) and the exponential moving average of the weights, all [n] f32:
/// g = gradient_scale * gradient; m = beta1 m + (1-beta1) g; v = beta2 v + (1-beta2) g^2;
/// weights -= learning_rate * (m/first_correction) / (sqrt(v/second_correction) + epsilon); ema += ema_share (weights -
/// ema).
struct AdamStep {
  In gradient, settings;
  InOut weights, m, v, ema;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  auto operands() { return std::tie(gradient, settings, weights, m, v, ema); }
};

/// AdamStep of one weight.
struct AdamUpdate {
  float gradient_scale, ema_share, rate, root, beta1, rest1, beta2, rest2, epsilon;

  PORTABLE AdamUpdate(const float* settings, double b1, double b2, double e)
      : gradient_scale(of(settings, AdamSetting::gradient_scale)),
        ema_share(of(settings, AdamSetting::ema_share)),
        rate(of(settings, AdamSetting::learning_rate) / of(settings, AdamSetting::first_correction)),
        root(1 / std::sqrt(of(settings, AdamSetting::second_correction))),
        beta1(static_cast<float>(b1)),
        rest1(static_cast<float>(1 - b1)),
        beta2(static_cast<float>(b2)),
        rest2(static_cast<float>(1 - b2)),
        epsilon(static_cast<float>(e)) {}
  PORTABLE void operator()(float gradient, float& weight, float& m, float& v, float& ema) const {
    const float g = gradient_scale * gradient;
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * g * g;
    weight -= rate * m / (std::sqrt(v) * root + epsilon);
    ema += ema_share * (weight - ema);
  }

 private:
  PORTABLE static float of(const float* settings, AdamSetting which) { return settings[static_cast<int>(which)]; }
};

/// A point where other ranks are heard: calls the context's exchange with the topic and the data (whose bytes it may
/// change).
struct Exchange {
  int topic = 0;
  InOut data;
  auto operands() { return std::tie(data); }
};

/// The one check of both devices: the numbers are as many as the parts give.
void check_squares(const SquareSums& op);
void check_terms(const AddTerms& op);

Step prepare(const AddTerms&, const CpuContext&);
Step prepare(const SquareSums&, const CpuContext&);
Step prepare(const AdamStep&, const CpuContext&);
Step prepare(const Exchange&, const CpuContext&);

}  // namespace kernels
