#include "core/data/stored_images.h"

#include <omp.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/data/image_files.h"
#include "kernels/check.h"

namespace core::data {
namespace {

constexpr std::int64_t largest_set = std::int64_t{16} << 30;  // bytes that are kept in memory

Image decode_cifar(std::span<const std::uint8_t> record) {
  Image image{{32, 32, 3}, std::vector<std::uint8_t>(3072)};
  for (std::size_t i = 0; i < 3072; ++i) image.pixels[i] = record[1 + i % 3 * 1024 + i / 3];
  return image;
}

/// Fits one image into `out`; the reason where that is impossible.
std::optional<std::string> read_one(const ImageFile& file, const config::Data& data, std::span<std::uint8_t> out) {
  try {
    const std::vector<std::uint8_t> bytes = read_bytes(file);
    const std::vector<std::uint8_t> pixels =
        fit(file.cifar ? decode_cifar(bytes) : decode(bytes), data.image_size(), data.channels());
    std::copy(pixels.begin(), pixels.end(), out.begin());
    return std::nullopt;
  } catch (const BadImage& bad) {
    return fmt::format("{} {}", file.name(), bad.reason);
  }
}

std::vector<std::int32_t> number_labels(const std::vector<ImageFile>& files, std::int32_t& classes) {
  std::map<std::string, std::int32_t> numbers;
  for (const ImageFile& file : files) numbers[file.label] = 0;
  classes = 0;
  for (auto& [label, number] : numbers) number = classes++;
  std::vector<std::int32_t> labels;
  for (const ImageFile& file : files) {
    labels.push_back(file.cifar ? read_bytes(file)[0] : numbers[file.label]);
    classes = std::max(classes, labels.back() + 1);
  }
  return labels;
}

}  // namespace

void StoredImages::read(std::int64_t index, std::span<std::uint8_t> out) const {
  std::copy_n(pixels->begin() + index * std::ssize(out), std::ssize(out), out.begin());
}

StoredImages read_images(const config::Data& data, const config::Files& files) {
  const std::vector<ImageFile> found = find_images(files);
  const std::int64_t each = std::int64_t{data.image_size()} * data.image_size() * data.channels(),
                     count = std::ssize(found);
  kernels::require(each * count <= largest_set,
                   "{} images of {} bytes are more than the {} GiB that are kept in memory; name fewer files, or use a "
                   "smaller data.image_size",
                   count, each, largest_set >> 30);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(each * count));
  std::vector<std::optional<std::string>> problems(found.size());
#pragma omp parallel for schedule(dynamic, 64) num_threads(omp_get_num_procs())
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    problems[at] =
        read_one(found[at], data,
                 std::span(pixels).subspan(at * static_cast<std::size_t>(each), static_cast<std::size_t>(each)));
  }

  StoredImages result;
  std::vector<ImageFile> kept;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!problems[i]) {
      const auto from = pixels.begin() + static_cast<std::ptrdiff_t>(i) * each;
      if (kept.size() < i) std::copy(from, from + each, pixels.begin() + std::ssize(kept) * each);
      kept.push_back(found[i]);
      continue;
    }
    kernels::require(data.unreadable() == config::SKIP,
                     "{}; remove it, or leave such files out with data {{ unreadable: SKIP }}", *problems[i]);
    if (result.skipped++ == 0) result.first_skipped = *problems[i];
  }
  kernels::require(!kept.empty(), "none of the {} files could be read; the first: {}", count, result.first_skipped);
  pixels.resize(kept.size() * static_cast<std::size_t>(each));
  result.images = std::ssize(kept);
  result.labels = number_labels(kept, result.classes);
  result.pixels = std::make_shared<const std::vector<std::uint8_t>>(std::move(pixels));
  return result;
}

}  // namespace core::data
