// The two sets that are both called ImageNet 32x32 (or 64x64), and whose likelihoods are not comparable.
#pragma once

#include <cstdint>
#include <string>

#include "core/data/decode.h"

namespace core::data {

/// Which of the two a set of images as they were stored seems to be, told by their number, shape and classes; empty
/// for another set. The older one (van den Oord, Kalchbrenner, Kavukcuoglu 2016) came as tars of PNG without labels and
/// was made without antialiasing: 1,281,149 training and 49,999 validation images. The newer one (Chrabaszcz,
/// Loshchilov, Hutter 2017) comes in batches with 1000 labels and was averaged over boxes: 1,281,167 and 50,000. The
/// same model has some 0.26 bits/dim more on the older one.
std::string imagenet_variant(std::int64_t images, const ImageShape& shape, std::int32_t classes);

}  // namespace core::data
