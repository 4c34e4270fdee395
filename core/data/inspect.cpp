#include "core/data/inspect.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace core::data {

std::string inspect(const Dataset& dataset) {
  const int channels = dataset.shape().channels;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(dataset.shape().elements()));
  struct Sums {
    double sum = 0, squares = 0;
    int low = 255, high = 0;
  };
  std::vector<Sums> sums(static_cast<std::size_t>(channels));
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    dataset.read(i, pixels);
    for (std::size_t p = 0; p < pixels.size(); ++p) {
      Sums& s = sums[p % sums.size()];
      const int value = pixels[p];
      s.sum += value;
      s.squares += static_cast<double>(value) * value;
      s.low = std::min(s.low, value);
      s.high = std::max(s.high, value);
    }
  }
  const double count = static_cast<double>(dataset.size()) * static_cast<double>(dataset.shape().elements()) / channels;
  std::string text =
      fmt::format("{}\n{:>8} {:>9} {:>9} {:>5} {:>5}\n", dataset.describe(), "channel", "mean", "s.d.", "min", "max");
  for (int c = 0; c < channels; ++c) {
    const Sums& s = sums[static_cast<std::size_t>(c)];
    const double mean = s.sum / count;
    text += fmt::format("{:>8} {:>9.3f} {:>9.3f} {:>5} {:>5}\n",
                        channels == 1 ? "grey"
                        : c == 0      ? "red"
                        : c == 1      ? "green"
                                      : "blue",
                        mean, std::sqrt(std::max(0.0, s.squares / count - mean * mean)), s.low, s.high);
  }
  const auto names = dataset.class_names();
  if (names.size() < 2) return text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += fmt::format("{}{} {}", i == 0 ? "classes: " : ", ", i, names[i]);
  return text + "\n";
}

picture::Picture contact_sheet(const Dataset& dataset, int count) {
  const std::int64_t shown = std::min<std::int64_t>(count, dataset.size()), each = dataset.shape().elements();
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(shown * each));
  for (std::int64_t i = 0; i < shown; ++i) {
    dataset.read(i * dataset.size() / shown,
                 std::span(pixels).subspan(static_cast<std::size_t>(i * each), static_cast<std::size_t>(each)));
  }
  const int columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(shown))));
  return picture::grid(pixels, dataset.shape().height, dataset.shape().width, dataset.shape().channels, columns,
                       picture::comfortable_scale(dataset.shape().width));
}

}  // namespace core::data
