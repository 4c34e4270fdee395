#include "core/data/dataset.h"

#include <algorithm>
#include <cmath>

#include "core/data/fingerprint.h"
#include "core/data/imagenet.h"
#include "kernels/check.h"
#include "kernels/philox.h"

namespace core::data {
namespace {

constexpr std::int64_t hashed_images = 4096;  // of a source that its parameters determine

GaussianField make_field(const config::RunConfig& config, const config::GaussianField& field, const ImageShape& shape) {
  return {.seed = static_cast<std::uint64_t>(config.seed()),
          .images = field.images(),
          .first = field.first(),
          .mean = field.mean(),
          .standard_deviation = field.standard_deviation(),
          .correlation = field.correlation(),
          .channel_correlation = field.channel_correlation(),
          .shape = shape};
}

Dataset::Source make_source(const config::RunConfig& config, const config::Source& source, const ImageShape& shape) {
  const auto seed = static_cast<std::uint64_t>(config.seed());
  if (source.has_files()) return store_images(config.data(), source.files());
  if (source.has_packed()) return open_packed(source.packed().path(), shape);
  if (source.has_gaussian_field()) return make_field(config, source.gaussian_field(), shape);
  if (source.has_uniform_pixels())
    return UniformPixels{seed, source.uniform_pixels().images(), source.uniform_pixels().first(), shape};
  kernels::ensure(source.has_finite_set(), "a valid source has a kind");
  return FiniteSet{{.seed = seed,
                    .images = source.finite_set().distinct(),
                    .first = 0,
                    .mean = 128,
                    .standard_deviation = 28,
                    .correlation = 0.9,
                    .channel_correlation = 0.5,
                    .shape = shape},
                   source.finite_set().images()};
}

}  // namespace

void UniformPixels::read(std::int64_t index, std::span<std::uint8_t> pixels) const {
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const auto words = kernels::philox(seed, kernels::Stream::source, static_cast<std::uint64_t>(first + index),
                                       static_cast<std::uint32_t>(i / 16));
    pixels[i] = static_cast<std::uint8_t>(words.word[i / 4 % 4] >> (8 * (i % 4)));
  }
}

Dataset::Dataset(Source source, ImageShape shape) : source_(std::move(source)), shape_(shape) {
  if (const auto* packed = std::get_if<PackedImages>(&source_)) {
    fingerprint_ = packed->fingerprint;
  } else {
    const std::int64_t hashed = facts() ? size() : std::min(size(), hashed_images);
    fingerprint_ = data::fingerprint(size(), shape_, hashed, [&](auto i, auto pixels) { read(i, pixels); });
  }
}

const Facts* Dataset::facts() const {
  return std::visit(
      [](const auto& source) -> const Facts* {
        if constexpr (requires { source.facts; }) return &source.facts;
        return nullptr;
      },
      source_);
}

std::int64_t Dataset::size() const {
  return std::visit(
      [](const auto& source) {
        if constexpr (requires { source.facts; })
          return source.facts.images;
        else
          return source.images;
      },
      source_);
}

std::int32_t Dataset::label(std::int64_t index) const {
  return std::visit(
      [&](const auto& source) {
        if constexpr (requires { source.labels; }) return source.labels[static_cast<std::size_t>(index)];
        return 0;
      },
      source_);
}

void Dataset::read(std::int64_t index, std::span<std::uint8_t> pixels) const {
  kernels::ensure(index >= 0 && index < size() && std::ssize(pixels) == shape_.elements(),
                  "an image of the set is read into its size");
  std::visit([&](const auto& source) { source.read(index, pixels); }, source_);
}

std::span<const std::string> Dataset::class_names() const {
  return facts() ? std::span<const std::string>(facts()->class_names) : std::span<const std::string>();
}

std::int32_t Dataset::classes() const {
  return facts() ? facts()->classes : 1;
}

std::int64_t Dataset::skipped() const {
  return facts() ? facts()->skipped : 0;
}

std::string Dataset::variant() const {
  return facts() && !facts()->altered ? imagenet_variant(size(), shape_, classes()) : "";
}

std::optional<Entropy> Dataset::entropy() const {
  if (const auto* field = std::get_if<GaussianField>(&source_)) {
    const double low = field->gaussian_entropy(0), high = field->gaussian_entropy(1.0 / 12);
    return Entropy{high, fmt::format("of the quantised Gaussian field, to within {:.4f} below", high - low)};
  }
  if (std::holds_alternative<UniformPixels>(source_)) return Entropy{8, "of uniform pixels, exactly"};
  if (const auto* finite = std::get_if<FiniteSet>(&source_)) {
    return Entropy{std::log2(static_cast<double>(finite->field.images)) / static_cast<double>(shape_.elements()),
                   "of a finite set of images, exactly"};
  }
  return std::nullopt;
}

std::string Dataset::describe() const {
  const auto truth = entropy();
  std::string text = fmt::format("{} images of {}x{}x{}, {} {}, fingerprint {}", size(), shape_.height, shape_.width,
                                 shape_.channels, classes(), classes() == 1 ? "class" : "classes", fingerprint_);
  if (truth) text += fmt::format(", entropy {:.4f} bits/dim", truth->bits_per_dim);
  if (const std::string known = variant(); !known.empty()) text += "; " + known;
  if (skipped() > 0) text += fmt::format("; {} files SKIPPED, the first: {}", skipped(), facts()->first_skipped);
  return text;
}

Dataset open(const config::RunConfig& config, const config::Source& source) {
  const ImageShape shape{config.data().image_size(), config.data().image_size(), config.data().channels()};
  return {make_source(config, source, shape), shape};
}

}  // namespace core::data
