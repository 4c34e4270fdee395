// How far results are from what they should be.
#pragma once

#include <cmath>
#include <vector>

namespace tests {

/// The norm of the difference as a share of the norm of what is wanted.
template <typename T>
double distance(const std::vector<T>& got, const std::vector<T>& wanted) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    difference += std::pow(got[i] - wanted[i], 2);
    size += std::pow(wanted[i], 2);
  }
  return std::sqrt(difference / size);
}

}  // namespace tests
