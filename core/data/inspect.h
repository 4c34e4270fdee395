// What a person wants to see of a data set before training on it.
#pragma once

#include <string>

#include "core/data/dataset.h"
#include "core/picture/png.h"

namespace core::data {

/// describe() and, per channel, mean, standard deviation, smallest and largest value over all images.
std::string inspect(const Dataset& dataset);

/// `count` images evenly spread over the set.
picture::Picture contact_sheet(const Dataset& dataset, int count);

}  // namespace core::data
