#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "core/data/decode.h"
#include "core/picture/npz.h"
#include "core/picture/plot.h"
#include "core/picture/png.h"
#include "kernels/check.h"

namespace core::picture {
namespace {

namespace fs = std::filesystem;

data::Image read_back(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  return data::decode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

/// Of the running test alone: others may run beside it.
fs::path own_file() {
  return fs::path(testing::TempDir()) /
         (std::string("picture_") + testing::UnitTest::GetInstance()->current_test_info()->name() + ".png");
}

TEST(Png, IsReadBackAsItWas) {
  const fs::path file = own_file();
  for (int channels : {1, 3}) {
    Picture picture{.width = 5, .height = 3, .channels = channels, .pixels = {}};
    for (int i = 0; i < 15 * channels; ++i) picture.pixels.push_back(static_cast<std::uint8_t>(17 * i));
    write_png(file, picture);
    const data::Image image = read_back(file);
    EXPECT_EQ(image.shape, (data::ImageShape{3, 5, channels}));
    EXPECT_EQ(image.pixels, picture.pixels);
  }
}

TEST(Png, WhatCannotBeWrittenIsNamed) {
  try {
    write_png("/nosuch/a.png", {.width = 1, .height = 1, .channels = 1, .pixels = {0}});
    FAIL();
  } catch (const kernels::InputError& error) {
    EXPECT_STREQ(error.what(), "/nosuch/a.png: cannot be written: No such file or directory");
  }
}

TEST(Npz, IsANumPyArrayInAZip) {
  const fs::path file = fs::path(testing::TempDir()) / "picture_npz.npz";
  std::vector<std::uint8_t> images(2 * 3 * 3);
  std::iota(images.begin(), images.end(), 200);
  write_npz(file, images, {2, 3, 3, 1});
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(bytes.substr(0, 4), "PK\x03\x04");
  const std::size_t at = bytes.find("\x93NUMPY");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(bytes.substr(30, 10), "images.npy");
  EXPECT_EQ(bytes.substr(at + 6, 4), std::string("\x01\x00\x76\x00", 4));  // version 1.0, 118 bytes: 128 in all
  EXPECT_EQ(bytes.substr(at + 10, 71), "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 3, 1), }      ");
  EXPECT_EQ(bytes[at + 127], '\n');
  EXPECT_EQ(bytes.substr(at + 128, images.size()), std::string(images.begin(), images.end()));
}

TEST(Npz, WhatCannotBeWrittenIsNamed) {
  try {
    write_npz("/nosuch/a.npz", std::vector<std::uint8_t>(1), {1, 1, 1, 1});
    FAIL();
  } catch (const kernels::InputError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("/nosuch/a.npz: cannot be written: ")) << error.what();
  }
}

TEST(Grid, PutsImagesSideBySideWithGaps) {
  const std::uint8_t images[] = {10, 20, 30};  // three images of one pixel
  const Picture picture = grid(images, 1, 1, 1, 2, 2);
  EXPECT_EQ(picture.width, 2 + 2 * 4);
  EXPECT_EQ(picture.height, 2 + 2 * 4);
  const auto at = [&](int x, int y) { return picture.pixels[static_cast<std::size_t>(y * picture.width + x)]; };
  EXPECT_EQ(at(2, 2), 10);
  EXPECT_EQ(at(3, 3), 10);
  EXPECT_EQ(at(4, 2), 255);
  EXPECT_EQ(at(6, 2), 20);
  EXPECT_EQ(at(2, 6), 30);
  EXPECT_EQ(at(6, 6), 255);
}

TEST(Plot, DrawsItsSeriesInsideItsAxesAndLeavesOutWhatIsNotFinite) {
  const fs::path file = own_file();
  write_plot(file, {.title = "title",
                    .x_label = "step",
                    .y_label = "bits/dim",
                    .series = {{.name = "loss", .x = {0, 1, 2, 3}, .y = {4, 3, NAN, 2}}},
                    .references = {{"entropy", 1.5}}});
  const data::Image image = read_back(file);
  ASSERT_EQ(image.shape, (data::ImageShape{600, 960, 3}));
  int curve_inside = 0, curve_outside = 0, reference = 0;
  for (int y = 0; y < 600; ++y) {
    for (int x = 0; x < 960; ++x) {
      const std::uint8_t* p = &image.pixels[static_cast<std::size_t>((y * 960 + x) * 3)];
      const bool blue = p[2] > p[0] + 80, red = p[0] > p[2] + 120;
      (x < 90 || y > 535 ? curve_outside : curve_inside) += blue;
      reference += red;
    }
  }
  EXPECT_GT(curve_inside, 500);
  EXPECT_EQ(curve_outside, 0);
  EXPECT_GT(reference, 300);
}

TEST(Plot, HasNothingToShowWithoutFailing) {
  EXPECT_NO_THROW(
      write_plot(own_file(), {.title = "empty", .x_label = "x", .y_label = "y", .series = {{}}, .references = {}}));
}

}  // namespace
}  // namespace core::picture
