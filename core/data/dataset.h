// A set of images that are read by index: from files, or from built-in sources whose entropy is known.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "core/config/run.pb.h"
#include "core/data/decode.h"
#include "core/data/gaussian_field.h"
#include "core/data/packed_images.h"
#include "core/data/stored_images.h"

namespace core::data {

/// Independent uniform pixels: 8 bits/dim exactly.
struct UniformPixels {
  std::uint64_t seed;
  std::int64_t images, first;
  ImageShape shape;
  void read(std::int64_t index, std::span<std::uint8_t> pixels) const;
};

/// `distinct` fixed images (Gaussian fields), repeated in turn: log2(distinct)/D bits/dim.
struct FiniteSet {
  GaussianField field;
  std::int64_t images;
  void read(std::int64_t index, std::span<std::uint8_t> pixels) const { field.read(index % field.images, pixels); }
};

/// What a perfect model of the source would reach, bits/dim of the integer pixels.
struct Entropy {
  double bits_per_dim;
  std::string meaning;  // exact, or how close
};

class Dataset {
 public:
  using Source = std::variant<StoredImages, PackedImages, GaussianField, UniformPixels, FiniteSet>;
  Dataset(Source source, ImageShape shape);

  std::int64_t size() const;
  const ImageShape& shape() const { return shape_; }
  /// Image `index` into pixels[h,w,c]. Safe from several threads.
  void read(std::int64_t index, std::span<std::uint8_t> pixels) const;
  /// Class of the image: the place of its folder's name among all, or the number that its file gives; 0 for built-in
  /// sources.
  std::int32_t label(std::int64_t index) const;
  std::int32_t classes() const;
  /// Of each class, where folders name them; else none.
  std::span<const std::string> class_names() const;
  /// Files that were left out because they could not be read (data.unreadable: SKIP).
  std::int64_t skipped() const;
  /// Of all pixels (of the first 4096 images for built-in sources, which their parameters determine): fingerprint.h. A
  /// packed set has that of what it was packed from.
  const std::string& fingerprint() const { return fingerprint_; }
  /// Which published set this seems to be, where sets of one name are not comparable; else empty.
  std::string variant() const;
  std::optional<Entropy> entropy() const;
  /// One line for people.
  std::string describe() const;

 private:
  const Facts* facts() const;  // of images from files

  Source source_;
  ImageShape shape_;
  std::string fingerprint_;
};

/// Opens a source of the (valid) config. Files are decoded once, in parallel, and kept in memory at the wanted size; a
/// packed set is checked and mapped.
/// Throws InputError naming the file, and for a tar's member its offset.
Dataset open(const config::RunConfig& config, const config::Source& source);

}  // namespace core::data
