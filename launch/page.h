// A run as one page of HTML that needs no other file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/picture/plot.h"
#include "launch/environment.h"
#include "launch/likelihood_file.h"

namespace launch {

struct PageContent {
  std::string name, summary;
  struct Figure {
    std::string value, meaning;
  };
  std::vector<Figure> figures;  // the first things to know
  std::optional<LikelihoodTable> likelihood;
  std::vector<core::picture::Plot> plots;
  std::string samples_png;  // bytes; empty: none
  std::string config;
  std::vector<Job> jobs;
};

std::string html(const PageContent& content);

/// & < > " as HTML writes them.
std::string escaped(const std::string& text);
std::string base64(const std::string& bytes);

}  // namespace launch
