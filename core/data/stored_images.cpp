#include "core/data/stored_images.h"

#include <omp.h>

#include <algorithm>
#include <optional>

#include "kernels/check.h"

namespace core::data {
namespace {

constexpr std::int64_t largest_set = std::int64_t{16} << 30;   // bytes that are kept in memory
constexpr std::int64_t window_bytes = std::int64_t{64} << 20;  // read before they are handed on

struct Outcome {
  std::optional<std::string> problem;
  bool altered = false;
};

/// Fits one image into `out`. Nothing is thrown: this runs in a parallel region.
Outcome read_one(const ImageFile& file, const config::Data& data, std::span<std::uint8_t> out) {
  try {
    const Image image = read_image(file);
    const std::vector<std::uint8_t> pixels = fit(image, data.image_size(), data.channels());
    std::copy(pixels.begin(), pixels.end(), out.begin());
    return {.problem = {}, .altered = image.shape != ImageShape{data.image_size(), data.image_size(), data.channels()}};
  } catch (const BadImage& bad) {
    return {.problem = fmt::format("{} {}", file.name(), bad.reason)};
  } catch (const std::exception& error) {
    return {.problem = fmt::format("{} cannot be read: {}", file.name(), error.what())};
  }
}

std::int64_t bytes_of_image(const config::Data& data) {
  return std::int64_t{data.image_size()} * data.image_size() * data.channels();
}

}  // namespace

Facts read_images(Found found, const config::Data& data, const Sink& sink, const Progress& progress) {
  const std::int64_t each = bytes_of_image(data), count = std::ssize(found.images);
  const std::int64_t window = std::clamp(window_bytes / each, std::int64_t{1}, count);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(window * each));
  const auto place = [&](std::int64_t i) { return pixels.begin() + i * each; };
  std::vector<Outcome> outcomes(static_cast<std::size_t>(window));
  Facts facts{.classes = found.classes, .class_names = std::move(found.class_names)};
  for (std::int64_t first = 0; first < count; first += window) {
    const std::int64_t end = std::min(first + window, count);
#pragma omp parallel for schedule(dynamic, 64) num_threads(omp_get_num_procs())
    for (std::int64_t i = first; i < end; ++i) {
      outcomes[static_cast<std::size_t>(i - first)] =
          read_one(found.images[static_cast<std::size_t>(i)], data, {place(i - first), place(i - first + 1)});
    }
    std::vector<std::int32_t> labels;
    for (std::int64_t i = first; i < end; ++i) {
      const auto& [problem, altered] = outcomes[static_cast<std::size_t>(i - first)];
      ImageFile& file = found.images[static_cast<std::size_t>(i)];
      if (!problem) {
        std::copy(place(i - first), place(i - first + 1), place(std::ssize(labels)));
        labels.push_back(file.label);
        facts.altered |= altered;
      } else {
        kernels::require(data.unreadable() == config::SKIP,
                         "{}; remove it, or leave such files out with data {{ unreadable: SKIP }}", *problem);
        if (facts.skipped++ == 0) facts.first_skipped = *problem;
      }
      file.in.reset();  // what it was unpacked to is dropped with its last image
    }
    facts.images += std::ssize(labels);
    sink({place(0), place(std::ssize(labels))}, labels);
    if (progress) progress(end, count);
  }
  kernels::require(facts.images > 0, "none of the {} files could be read; the first: {}", count, facts.first_skipped);
  return facts;
}

void StoredImages::read(std::int64_t index, std::span<std::uint8_t> out) const {
  std::copy_n(pixels->begin() + index * std::ssize(out), std::ssize(out), out.begin());
}

StoredImages store_images(const config::Data& data, const config::Files& files) {
  Found found = find_images(files);
  const std::int64_t each = bytes_of_image(data), count = std::ssize(found.images);
  kernels::require(
      each * count <= largest_set,
      "{} images of {} bytes are more than the {} GiB that are kept in memory; pack them with scoremle data "
      "pack, name fewer files, or use a smaller data.image_size",
      count, each, largest_set >> 30);
  StoredImages stored;
  std::vector<std::uint8_t> all;
  all.reserve(static_cast<std::size_t>(each * count));
  const auto keep = [&](std::span<const std::uint8_t> pixels, std::span<const std::int32_t> labels) {
    all.insert(all.end(), pixels.begin(), pixels.end());
    stored.labels.insert(stored.labels.end(), labels.begin(), labels.end());
  };
  stored.facts = read_images(std::move(found), data, keep, {});
  stored.pixels = std::make_shared<const std::vector<std::uint8_t>>(std::move(all));
  return stored;
}

}  // namespace core::data
