#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "core/picture/plot.h"

namespace core::picture {
namespace {

/// The numbers in the first match of a pattern's group.
std::vector<double> numbers(const std::string& text, const std::string& pattern) {
  std::smatch match;
  EXPECT_TRUE(std::regex_search(text, match, std::regex(pattern))) << pattern << " in " << text;
  std::vector<double> found;
  const std::string list = match[1];
  const std::regex number("-?[0-9.]+");
  for (auto at = std::sregex_iterator(list.begin(), list.end(), number); at != std::sregex_iterator(); ++at)
    found.push_back(std::stod(at->str()));
  return found;
}

Plot example() {
  return {
      .title = "bits",
      .x_label = "step",
      .y_label = "",
      .series = {{.name = "held out", .x = {0, 10, 20, 40}, .y = {5, 4, NAN, 3}, .deviation = {0.5, 0.25, 0.1, 0.125}}},
      .references = {{"entropy", 4}}};
}

TEST(Svg, PointsLieWhereTheirNumbersAre) {
  const std::string drawing = svg(example());
  const auto p = numbers(drawing, R"re(<polyline points="([^"]*)")re");
  ASSERT_EQ(p.size(), 6u) << "the point that is no number is left out";
  EXPECT_NEAR((p[2] - p[0]) / (p[4] - p[0]), 10.0 / 40, 2e-3);
  EXPECT_NEAR((p[3] - p[1]) / (p[5] - p[1]), 1.0 / 2, 2e-3);
  EXPECT_GT(p[5], p[1]) << "larger values are higher up";
  // The reference has the height of the point of the same value.
  EXPECT_NEAR(numbers(drawing, R"re(class="reference" x1="[0-9]+" x2="[0-9]+" y1="([0-9.]+)")re")[0], p[3], 0.1);
  // The band: above each point from left to right, below them back.
  const auto b = numbers(drawing, R"re(<polygon class="band series0" points="([^"]*)")re");
  ASSERT_EQ(b.size(), 12u);
  const double unit = p[3] - p[1];  // of 1 bit
  EXPECT_NEAR(p[1] - b[1], 0.5 * unit, 0.2);
  EXPECT_NEAR(b[11] - p[1], 0.5 * unit, 0.2);
  EXPECT_NEAR(b[7] - p[5], 0.125 * unit, 0.2);
  for (std::size_t i = 0; i < 12; i += 2) EXPECT_TRUE(b[i] >= 0 && b[i] <= 480 && b[i + 1] >= 0 && b[i + 1] <= 300);
}

TEST(Svg, NothingToDrawIsStillAPicture) {
  const std::string drawing =
      svg({.title = "t", .x_label = "x", .y_label = "", .series = {{"none", {}, {}}}, .references = {}});
  EXPECT_TRUE(drawing.starts_with("<svg ") && drawing.ends_with("</svg>")) << drawing;
  EXPECT_EQ(drawing.find("nan"), std::string::npos) << drawing;
}

}  // namespace
}  // namespace core::picture
