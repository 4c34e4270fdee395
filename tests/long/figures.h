// Means and standard errors of the per-image file that `scoremle evaluate` writes.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/likelihood/estimate.h"

namespace tests {

struct Figures {
  core::likelihood::Summary bound, ode;  // bits/dim
};

inline Figures figures(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  std::vector<double> bound, ode;
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string field[7];
    for (auto& text : field) std::getline(fields, text, '\t');
    bound.push_back(std::stod(field[1]));
    if (!field[5].empty()) ode.push_back(std::stod(field[5]));
  }
  return {core::likelihood::summarise(bound), core::likelihood::summarise(ode)};
}

}  // namespace tests
