#include "core/data/imagenet.h"

#include <fmt/format.h>

namespace core::data {

std::string imagenet_variant(std::int64_t images, const ImageShape& shape, std::int32_t classes) {
  const int size = shape.height;
  if ((size != 32 && size != 64) || shape != ImageShape{size, size, 3}) return "";
  const bool older = classes == 1 && (images == 1'281'149 || images == 49'999);
  const bool newer = classes == 1000 && (images == 1'281'167 || images == 50'000);
  if (!older && !newer) return "";
  return fmt::format("by number and classes the {} ImageNet {}x{} ({}), not comparable with the {} one",
                     older ? "older" : "newer", size, size,
                     older ? "van den Oord et al. 2016, PNG tars" : "Chrabaszcz et al. 2017, image-net.org",
                     older ? "newer" : "older");
}

}  // namespace core::data
