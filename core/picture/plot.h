// Curves as PNG files, and as SVG for pages.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace core::picture {

struct Series {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> deviation = {};  // of each y, where they are known: a band in SVG
};
/// A horizontal line to compare with, such as a known entropy.
struct Reference {
  std::string name;
  double y;
};
struct Plot {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  std::vector<Reference> references;
};

/// Draws 960 x 600 pixels. Points that are not finite are left out. Throws InputError where the file cannot be written.
void write_plot(const std::filesystem::path& file, const Plot& plot);

/// The plot as an <svg> element of 480 x 300 units, without its title; a series without a name is not in the legend.
/// Colours are the page's: classes axis, grid, series0, series1, ..., band and reference.
std::string svg(const Plot& plot);

}  // namespace core::picture
