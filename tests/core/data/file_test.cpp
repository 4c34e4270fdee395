// Images from files: every format, and every way in which a file can be wrong.
#include <cstdio>
// jpeglib.h needs what cstdio declares.
#include <jpeglib.h>

#include <zlib.h>

#include "tests/core/data/files.h"
#include "tests/shared_data.h"

namespace core::data {
namespace {

std::string jpeg(int width, int height, const Bytes& rgb) {
  jpeg_error_mgr errors;
  jpeg_compress_struct info;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long bytes = 0;
  jpeg_mem_dest(&info, &buffer, &bytes);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(rgb.data()) + info.next_scanline * static_cast<unsigned>(width) * 3;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string result(reinterpret_cast<char*>(buffer), bytes);
  jpeg_destroy_compress(&info);
  free(buffer);
  return result;
}

TEST_F(Data, APngOfTheRightSizeIsReadAsItIs) {
  const Bytes colour = random_pixels(4 * 4 * 3, 1), grey = random_pixels(4 * 4, 2);
  png("set/b/colour.png", 4, 4, 3, colour);
  png("set/a/grey.png", 4, 4, 1, grey);
  const Dataset dataset = open_files({folder_ / "set"}, 4, 3);
  ASSERT_EQ(dataset.size(), 2);
  EXPECT_EQ(dataset.label(0), 0);
  EXPECT_EQ(dataset.label(1), 1);
  EXPECT_EQ(dataset.classes(), 2);
  EXPECT_EQ(image(dataset, 1), colour);
  for (std::size_t i = 0; i < 48; ++i) EXPECT_EQ(image(dataset, 0)[i], grey[i / 3]);
  const Bytes luma = image(open_files({folder_ / "set/b"}, 4, 1), 0);
  for (std::size_t i = 0; i < 16; ++i)
    EXPECT_NEAR(luma[i], 0.299 * colour[3 * i] + 0.587 * colour[3 * i + 1] + 0.114 * colour[3 * i + 2], 0.51);
}

TEST_F(Data, AnImageIsCroppedToItsCentreAndAveraged) {
  const int width = 13, height = 9, size = 4;
  const Bytes pixels = random_pixels(static_cast<std::size_t>(width * height * 3), 3);
  png("a.png", width, height, 3, pixels);
  const Bytes found = image(open_files({folder_}, size, 3), 0);
  // Each pixel cut into 4 x 4 equal parts of 1/4: 9 / 4 = 2.25 pixels are 9 parts.
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      for (int c = 0; c < 3; ++c) {
        double sum = 0;
        for (int py = 9 * y; py < 9 * (y + 1); ++py) {
          for (int px = 9 * x; px < 9 * (x + 1); ++px)
            sum += pixels[static_cast<std::size_t>(((py / 4) * width + 2 + px / 4) * 3 + c)];
        }
        EXPECT_NEAR(found[static_cast<std::size_t>((y * size + x) * 3 + c)], sum / 81, 0.51);
      }
    }
  }
}

TEST_F(Data, HalvesAreRoundedUp) {
  png("a.png", 8, 8, 1, [] {
    Bytes pixels(64, 10);
    for (std::size_t i = 0; i < 64; i += 2) pixels[i] = 11;
    return pixels;
  }());
  EXPECT_EQ(image(open_files({folder_}, 4, 1), 0), Bytes(16, 11));
}

TEST_F(Data, AJpegIsReadToWithinItsLoss) {
  Bytes pixels;
  for (int i = 0; i < 16 * 16; ++i)
    pixels.insert(pixels.end(), {static_cast<std::uint8_t>(4 * (i % 16)), static_cast<std::uint8_t>(100 + i / 16), 77});
  write("a.jpeg", jpeg(16, 16, pixels));
  const Bytes found = image(open_files({folder_}, 16, 3), 0);
  for (std::size_t i = 0; i < pixels.size(); ++i) EXPECT_NEAR(found[i], pixels[i], 12);
}

TEST_F(Data, ClassesAreTheFoldersFromWhereTheyDiffer) {
  const Bytes pixels = random_pixels(48, 4);
  const auto names = [&](const std::vector<fs::path>& paths) {
    const Dataset dataset = open_files({paths.begin(), paths.end()}, 4, 3);
    return std::vector<std::string>(dataset.class_names().begin(), dataset.class_names().end());
  };
  using Names = std::vector<std::string>;
  for (const char* file :
       {"train/cats/images/a.png", "train/dogs/images/a.png", "old/1/a.png", "new/1/a.png", "new/2/a.png"})
    png(file, 4, 4, 3, pixels);
  EXPECT_EQ(names({folder_ / "train"}), (Names{"cats", "dogs"}));
  EXPECT_EQ(names({folder_ / "train/"}), (Names{"cats", "dogs"}));
  EXPECT_EQ(names({folder_ / "train/dogs", folder_ / "train/cats"}), (Names{"images"}));
  EXPECT_EQ(names({folder_ / "train/dogs/images", folder_ / "new/2"}), (Names{"2", "images"}));
  EXPECT_EQ(names({folder_ / "old", folder_ / "new"}), (Names{"1", "2"})) << "folders of one name are one class";
  EXPECT_EQ(names({folder_}), (Names{"new/1", "new/2", "old/1", "train/cats/images", "train/dogs/images"}));
  const std::string a = contents(folder_ / "train/cats/images/a.png");
  write_tar(folder_ / "nested.tar", {{"./set/n1/x/a.png", a}, {"./set/n2/x/a.png", a}});
  EXPECT_EQ(names({folder_ / "nested.tar"}), (Names{"n1", "n2"}));
}

TEST_F(Data, ATarThatLacksItsEndIsTruncatedWhereverItWasCut) {
  const std::string a = contents(png("x/a.png", 4, 4, 3, random_pixels(48, 4)));
  write_tar(folder_ / "whole.tar", {{"cats/a.png", a}, {"cats/b.png", a}});
  const std::string whole = contents(folder_ / "whole.tar");
  const std::size_t member = 512 + (a.size() + 511) / 512 * 512;
  const auto error = [&](const std::string& bytes) { return error_of({write("cut.tar", bytes).string()}); };
  EXPECT_NO_THROW(open_files({folder_ / "whole.tar"}, 4, 3));
  EXPECT_EQ(error(whole.substr(0, member)),
            (folder_ / "cut.tar").string() + fmt::format(": ends at byte {} without the two blocks of zeros of a tar's "
                                                         "end: it is truncated",
                                                         member));
  EXPECT_NE(error(whole.substr(0, member) + std::string(512, '\0')).find("without the two blocks"), std::string::npos);
  std::string zeroed = whole;
  zeroed.replace(member, 512, std::string(512, '\0'));
  EXPECT_NE(error(zeroed).find(fmt::format("has something behind its end, at byte {}", member + 512)),
            std::string::npos)
      << error(zeroed);
}

TEST_F(Data, LinksAreNotLeftOutWithoutAWord) {
  png("set/a.png", 4, 4, 3, random_pixels(48, 4));
  fs::create_hard_link(folder_ / "set/a.png", folder_ / "set/b.png");
  const std::string tar = (folder_ / "links.tar").string();
  ASSERT_EQ(std::system(fmt::format("tar cf {} -C {} set", tar, folder_.string()).c_str()), 0);
  EXPECT_EQ(error_of({tar}),
            tar + ": holds set/b.png as a link: make the tar with --dereference and --hard-dereference");
  EXPECT_EQ(open_files({folder_ / "set"}, 4, 3).size(), 2);
  fs::create_symlink("nowhere", folder_ / "set/c.png");
  EXPECT_EQ(error_of({(folder_ / "set").string()}), (folder_ / "set/c.png").string() + ": is no file that can be read");
}

TEST_F(Data, TarsAreReadInTheirOrderAndOverSeveralShards) {
  const Bytes first = random_pixels(48, 4), second = random_pixels(48, 5);
  const std::string a = contents(png("x/a.png", 4, 4, 3, first)), b = contents(png("x/b.png", 4, 4, 3, second));
  write_tar(folder_ / "shard-0.tar", {{"cats/b.png", b}, {"notes.txt", "no image"}, {"dogs/a.png", a}});
  write_tar(folder_ / "shard-1.tar", {{"dogs/b.png", b}});
  const Dataset dataset = open_files({folder_ / "shard-*.tar"}, 4, 3);
  ASSERT_EQ(dataset.size(), 3);
  EXPECT_EQ(image(dataset, 0), second);
  EXPECT_EQ(image(dataset, 1), first);
  EXPECT_EQ(image(dataset, 2), second);
  EXPECT_EQ(dataset.label(0), 0);
  EXPECT_EQ(dataset.label(1), 1);
  EXPECT_EQ(dataset.label(2), 1);
}

TEST_F(Data, Cifar10RecordsArePlanar) {
  const Bytes record = random_pixels(3072, 6);
  std::string bytes;
  for (int label : {7, 3}) {
    bytes.push_back(static_cast<char>(label));
    bytes.append(record.begin(), record.end());
  }
  const Dataset dataset = open_files({write("data_batch_1.bin", bytes)}, 32, 3);
  ASSERT_EQ(dataset.size(), 2);
  EXPECT_EQ(dataset.label(0), 7);
  EXPECT_EQ(dataset.label(1), 3);
  const Bytes found = image(dataset, 1);
  for (std::size_t pixel = 0; pixel < 1024; ++pixel) {
    for (std::size_t c = 0; c < 3; ++c) ASSERT_EQ(found[3 * pixel + c], record[1024 * c + pixel]);
  }
}

TEST_F(Data, WhatCannotBeReadIsNamedWithItsPlace) {
  const Bytes pixels = random_pixels(64 * 64 * 3, 7);
  const std::string whole = contents(png("good/a.png", 64, 64, 3, pixels)), photo = jpeg(64, 64, pixels);
  const std::string advice = "; remove it, or leave such files out with data { unreadable: SKIP }";
  const auto text = [&](const std::string& name) { return (folder_ / name).string(); };

  write("short/a.png", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(error_of({text("short")}), text("short/a.png") + " is a damaged PNG (end of stream)" + advice);
  std::string flipped = whole;
  flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 16);
  write("flipped/a.png", flipped);
  EXPECT_NE(error_of({text("flipped")}).find(text("flipped/a.png") + " is a damaged PNG"), std::string::npos);
  write("cut/a.jpg", photo.substr(0, photo.size() / 2));
  EXPECT_EQ(error_of({text("cut")}), text("cut/a.jpg") + " is a damaged JPEG (Premature end of JPEG file)" + advice);
  EXPECT_EQ(error_of({text("good")}, 128), text("good/a.png") + " is 64x64, smaller than data.image_size 128" + advice);

  std::string huge = whole;  // a few bytes that claim 60000x60000 pixels, with the right CRC of their header
  huge.replace(16, 8, std::string("\0\0\xea\x60\0\0\xea\x60", 8));
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(huge.data() + 12), 17);
  for (int i = 0; i < 4; ++i) huge[static_cast<std::size_t>(29 + i)] = static_cast<char>(crc >> (24 - 8 * i));
  write("huge/a.png", huge);
  EXPECT_EQ(error_of({text("huge")}),
            text("huge/a.png") + " is 60000x60000, more than 134217728 pixels: make it smaller first" + advice);

  write_tar(folder_ / "bad.tar", {{"cats/a.png", whole}, {"cats/b.png", whole.substr(0, 100)}});
  const std::size_t second = 512 + (whole.size() + 511) / 512 * 512 + 512;
  EXPECT_EQ(error_of({text("bad.tar")}), text("bad.tar") + ": cats/b.png at byte " + std::to_string(second) +
                                             " is a damaged PNG (end of stream)" + advice);
  const std::string tar = contents(folder_ / "bad.tar");
  write("truncated.tar", tar.substr(0, 512 + whole.size() / 2));
  EXPECT_NE(error_of({text("truncated.tar")}).find(text("truncated.tar") + ": "), std::string::npos);
}

TEST_F(Data, UnreadableFilesAreLeftOutOnlyWhenAsked) {
  const Bytes pixels = random_pixels(48, 8);
  png("b/good.png", 4, 4, 3, pixels);
  write("a/bad.png", "x");
  const Dataset dataset = open_files({folder_}, 4, 3, config::SKIP);
  EXPECT_EQ(dataset.size(), 1);
  EXPECT_EQ(dataset.skipped(), 1);
  EXPECT_EQ(image(dataset, 0), pixels);
  EXPECT_NE(dataset.describe().find("1 files SKIPPED, the first: " + (folder_ / "a/bad.png").string() +
                                    " is neither PNG nor JPEG"),
            std::string::npos)
      << dataset.describe();
  write("c/bad.png", "x");
  EXPECT_NE(error_of({folder_ / "c"}, 4, config::SKIP).find("none of the 1 files could be read"), std::string::npos);
}

TEST_F(Data, TheFingerprintSeesEveryPixel) {
  Bytes pixels = random_pixels(48, 9);
  png("a.png", 4, 4, 3, pixels);
  const std::string before = open_files({folder_}, 4, 3).fingerprint();
  EXPECT_EQ(before, open_files({folder_}, 4, 3).fingerprint());
  pixels[47] ^= 1;
  png("a.png", 4, 4, 3, pixels);
  EXPECT_NE(before, open_files({folder_}, 4, 3).fingerprint());
}

class SharedImages : public testing::TestWithParam<const char*> {};
TEST_P(SharedImages, AreAllRead) {
  const bool grey = std::string(GetParam()).starts_with("mnist");
  config::RunConfig config;
  config.mutable_data()->mutable_training()->mutable_files()->add_path(
      tests::shared(std::string("data/") + GetParam()).string());
  config.mutable_data()->set_image_size(grey ? 28 : 32);
  config.mutable_data()->set_channels(grey ? 1 : 3);
  const Dataset dataset = open(config, config.data().training());
  EXPECT_EQ(dataset.size(), 10000);
  EXPECT_EQ(dataset.classes(), grey ? 10 : 200);
}
INSTANTIATE_TEST_SUITE_P(Sets, SharedImages,
                         testing::ValuesIn(tests::present({"mnist-10k/test-00000-of-00001.tar",
                                                           "tiny-imagenet-64/val-00000-of-00001.tar"},
                                                          "data/")),
                         [](const auto& info) { return std::string(info.param).substr(0, 4); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SharedImages);

}  // namespace
}  // namespace core::data
