// Files of equal records (CIFAR, IDX, .npy, .npz): what is read from them, and what is refused with which line.
#include <array>

#include "core/data/array.h"
#include "core/data/imagenet.h"
#include "tests/core/data/files.h"

namespace core::data {
namespace {

std::string text_of(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

/// As NumPy writes it: magic, version 1.0, length of the text, the text padded with spaces to 64 bytes and a new line.
std::string npy(const std::string& type, const std::string& shape, const std::string& elements,
                const std::string& fortran = "False") {
  std::string text = "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': (" + shape + "), }";
  while ((10 + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  return std::string("\x93NUMPY\x01\0", 8) + static_cast<char>(text.size()) + '\0' + text + elements;
}

std::string int64s(const std::vector<std::int64_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), 8 * values.size()};
}

std::string idx(const std::vector<int>& extents, const std::string& elements) {
  std::string head("\0\0\x08", 3);
  head += static_cast<char>(extents.size());
  for (int n : extents) head += {'\0', '\0', static_cast<char>(n / 256), static_cast<char>(n % 256)};
  return head + elements;
}

void expect_planar(const Bytes& found, std::span<const std::uint8_t> planes) {
  ASSERT_EQ(found.size(), planes.size());
  for (std::size_t pixel = 0; pixel < planes.size() / 3; ++pixel) {
    for (std::size_t c = 0; c < 3; ++c) ASSERT_EQ(found[3 * pixel + c], planes[planes.size() / 3 * c + pixel]);
  }
}

class Records : public Data {
 protected:
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  fs::path npz(const std::string& name, const std::vector<std::pair<std::string, std::string>>& arrays) const {
    write_archive(folder_ / name, arrays, archive_write_set_format_zip);
    return folder_ / name;
  }
  const Bytes pixels_ = random_pixels(std::size_t{2} * 8 * 4 * 4 * 3, 1);  // 2 images of 8x4x4x3 / 4, or less
};

TEST_F(Records, Cifar100KeepsTheFineLabel) {
  const Bytes record = random_pixels(3072, 6);
  std::string bytes;
  for (const auto& [coarse, fine] : {std::array{3, 99}, std::array{19, 0}})
    bytes += std::string{static_cast<char>(coarse), static_cast<char>(fine)} + text_of(record);
  const Dataset dataset = open_files({write("train.bin", bytes)}, 32, 3);
  ASSERT_EQ(dataset.size(), 2);
  EXPECT_EQ(dataset.label(0), 99);
  EXPECT_EQ(dataset.label(1), 0);
  EXPECT_EQ(dataset.classes(), 100);
  expect_planar(image(dataset, 1), record);
}

TEST_F(Records, ACifarLabelOutOfRangeIsNamed) {
  const std::string record(3072, 'x');
  write("a.bin", '\3' + record + '\12' + record);
  const std::string line = at("a.bin") + ": record at byte 3074 has label 10, the largest is 9";
  EXPECT_EQ(error_of({at("a.bin")}, 32), line + "; remove it, or leave such files out with data { unreadable: SKIP }");
  const Dataset rest = open_files({at("a.bin")}, 32, 3, config::SKIP);
  EXPECT_EQ(rest.size(), 1);
  EXPECT_EQ(rest.label(0), 3);
  EXPECT_EQ(rest.classes(), 10);
  write("both.bin", std::string(3073 * 3074, '\0'));
  EXPECT_NE(error_of({at("both.bin")}, 32).find("but of both: split it"), std::string::npos);
}

TEST_F(Records, MnistIsReadPackedOrNot) {
  const std::string images = idx({3, 6, 4}, text_of(pixels_).substr(0, 72)), labels = idx({3}, {'\7', '\0', '\2'});
  write("plain/train-images-idx3-ubyte", images);
  write("plain/train-labels-idx1-ubyte", labels);
  fs::create_directories(folder_ / "packed");
  const auto gzip = [](archive* out) { return archive_write_add_filter_gzip(out) | archive_write_set_format_raw(out); };
  write_archive(folder_ / "packed/train-images-idx3-ubyte.gz", {{"x", images}}, gzip);
  write_archive(folder_ / "packed/train-labels-idx1-ubyte.gz", {{"x", labels}}, gzip);
  for (const std::string name : {"plain/train-images-idx3-ubyte", "packed/train-images-idx3-ubyte.gz"}) {
    const Dataset dataset = open_files({at(name)}, 4, 1);
    ASSERT_EQ(dataset.size(), 3) << name;
    EXPECT_EQ(dataset.label(0), 7);
    EXPECT_EQ(dataset.label(2), 2);
    EXPECT_EQ(dataset.classes(), 8);
    EXPECT_EQ(image(dataset, 1), Bytes(pixels_.begin() + 28, pixels_.begin() + 44)) << "rows 1 to 4 of 6";
  }
  const std::string name = at("packed/train-images-idx3-ubyte.gz"), gz = contents(name);
  const auto damaged = [&](const std::string& bytes) {
    write("packed/train-images-idx3-ubyte.gz", bytes);
    const std::string line = error_of({name});
    EXPECT_TRUE(line.starts_with(name + " is a damaged gzip file: ")) << line;
  };
  damaged(gz.substr(0, gz.size() / 2));
  std::string flipped = gz;
  flipped[gz.size() - 6] ^= 1;  // of its checksum
  damaged(flipped);
  write("packed/train-images-idx3-ubyte.gz", images);
  EXPECT_EQ(error_of({name}), name + " is no gzip file");
}

TEST_F(Records, ArraysAreReadAsTheirShapeTells) {
  const std::string bytes = text_of(pixels_).substr(0, 96);
  const auto dataset = [&](const std::string& shape, int channels) {
    return open_files({write("a.npy", npy("|u1", shape, bytes))}, 4, channels);
  };
  EXPECT_EQ(image(dataset("2, 4, 4, 3", 3), 1), Bytes(pixels_.begin() + 48, pixels_.begin() + 96));
  expect_planar(image(dataset("2, 3, 4, 4", 3), 1), std::span(pixels_).subspan(48, 48));
  for (const std::string shape : {"6, 4, 4", "6, 4, 4, 1", "6, 1, 4, 4", "6, 16"})
    EXPECT_EQ(image(dataset(shape, 1), 5), Bytes(pixels_.begin() + 80, pixels_.begin() + 96)) << shape;
  EXPECT_EQ(dataset("6, 16", 1).classes(), 1);
}

TEST_F(Records, AnNpzHasImagesAndLabels) {
  const std::string bytes = text_of(pixels_).substr(0, 96);
  for (const auto* kind : {"stored", "deflate"}) {
    const auto zip = [](archive* out) { return archive_write_set_format_zip(out); };
    write_archive(
        folder_ / "a.npz",
        {{"mean.npy", npy("<f8", "2,", std::string(16, 'm'))},
         {"arr_1.npy", npy("<i8", "2,", int64s({5, 0}))},
         {"arr_0.npy", npy("|u1", "2, 4, 4, 3", bytes)}},
        std::string(kind) == "stored"
            ? [](archive*
                     out) { return archive_write_set_format_zip(out) | archive_write_zip_set_compression_store(out); }
            : static_cast<int (*)(archive*)>(zip));
    const Dataset dataset = open_files({at("a.npz")}, 4, 3);
    ASSERT_EQ(dataset.size(), 2) << kind;
    EXPECT_EQ(dataset.label(0), 5);
    EXPECT_EQ(dataset.label(1), 0);
    EXPECT_EQ(image(dataset, 1), Bytes(pixels_.begin() + 48, pixels_.begin() + 96));
  }
}

TEST_F(Records, ABatchOfImageNetIsPlanarAndCountsItsLabelsFromOne) {
  const Bytes rows = random_pixels(std::size_t{2} * 3072, 3);
  const auto batch = [&](std::int64_t first, std::int64_t second) {
    return npz("train_data_batch_1.npz", {{"data.npy", npy("|u1", "2, 3072", text_of(rows))},
                                          {"labels.npy", npy("<i8", "2,", int64s({first, second}))},
                                          {"mean.npy", npy("<f8", "3072,", std::string(8 * 3072, 'm'))}});
  };
  const Dataset dataset = open_files({batch(1, 1000)}, 32, 3);
  EXPECT_EQ(dataset.label(0), 0);
  EXPECT_EQ(dataset.label(1), 999);
  EXPECT_EQ(dataset.classes(), 1000);
  expect_planar(image(dataset, 1), std::span(rows).subspan(3072));
  EXPECT_NE(error_of({batch(0, 3)}, 32).find("has a label 0 where theirs are 1 to 1000"), std::string::npos);
}

TEST_F(Records, WhatIsWrongIsSaidInOneLine) {
  const std::string grey(96, 'g');
  const auto npy_error = [&](const std::string& bytes) {
    const std::string name = write("a.npy", bytes).string(), line = error_of({name});
    EXPECT_TRUE(line.starts_with(name + " ")) << line;
    return line.substr(name.size() + 1);
  };
  const std::string good = npy("|u1", "6, 4, 4", grey);
  EXPECT_EQ(npy_error(npy("<f4", "6, 4", grey)), "is an array of <f4; only 8-bit unsigned pixels (|u1) are read");
  EXPECT_EQ(npy_error(npy("|O", "6, 4", grey)), "is an array of |O; only 8-bit unsigned pixels (|u1) are read");
  EXPECT_EQ(npy_error(npy("|u1", "2, 48", grey)),
            "is an array of 2 x 48, which does not tell height, width and channels; save it as [images, height, width, "
            "channels]");
  EXPECT_NE(npy_error(npy("|u1", "2, 3, 16, 1", grey)).find("does not tell"), std::string::npos);
  EXPECT_NE(npy_error(npy("|u1", "96,", grey)).find("does not tell"), std::string::npos);
  EXPECT_NE(npy_error(npy("|u1", "8, 4, 3", grey)).find("does not tell"), std::string::npos);
  EXPECT_EQ(npy_error(npy("|u1", "6, 4, 4", grey, "True")), "is in Fortran order; save numpy.ascontiguousarray of it");
  EXPECT_EQ(npy_error(good.substr(0, good.size() - 1)), "has 223 bytes where its head tells 224");
  EXPECT_EQ(npy_error(good + 'x'), "has 225 bytes where its head tells 224");
  EXPECT_EQ(npy_error(good.substr(0, 60)), "is a damaged .npy: its head has no end");
  EXPECT_EQ(npy_error("no array"), "is no .npy array");
  EXPECT_EQ(npy_error(npy("|u1", "0, 4, 4", "")),
            "is an array of 0 x 4 x 4 elements: nothing, or more than a file holds");
  EXPECT_NE(npy_error(npy("|u1", "4611686018427387904, 4611686018427387904", "")).find("more than a file holds"),
            std::string::npos);
  EXPECT_EQ(npy_error(npy("|u1", "6, 4, x", grey)), "is a damaged .npy: its shape holds no numbers");

  write("x-images-idx3-ubyte", idx({6, 4, 4}, grey));
  EXPECT_EQ(error_of({at("x-images-idx3-ubyte")}),
            at("x-labels-idx1-ubyte") + ": is missing: the labels of " + at("x-images-idx3-ubyte"));
  write("x-labels-idx1-ubyte", idx({5}, std::string(5, '\0')));
  EXPECT_EQ(error_of({at("x-images-idx3-ubyte")}),
            at("x-labels-idx1-ubyte") + ": holds 5 labels, " + at("x-images-idx3-ubyte") + " holds 6 images");
  EXPECT_NE(error_of({at("x-labels-idx1-ubyte")}).find("is no IDX file of images"), std::string::npos);
  write("x-images-idx3-ubyte", idx({6, 4, 4}, grey.substr(1)));
  EXPECT_EQ(error_of({at("x-images-idx3-ubyte")}),
            at("x-images-idx3-ubyte") + " has 111 bytes where its head tells 112");
  write("x-images-idx3-ubyte", "not at all");
  EXPECT_EQ(error_of({at("x-images-idx3-ubyte")}), at("x-images-idx3-ubyte") + " is no IDX file");
  write("x-images-idx3-ubyte", std::string("\0\0\x0d\3", 4));
  EXPECT_NE(error_of({at("x-images-idx3-ubyte")}).find("only unsigned bytes (0x08) are read"), std::string::npos);

  npz("a.npz", {{"x.npy", good}, {"y.npy", good}});
  EXPECT_EQ(error_of({at("a.npz")}), at("a.npz") + ": x.npy and y.npy could both be its images; leave one");
  npz("a.npz", {{"x.npy", good}, {"y.npy", npy("<i8", "1,", int64s({1}))}});
  EXPECT_EQ(error_of({at("a.npz")}), at("a.npz") + ": y.npy holds 1 labels, x.npy holds 6 images");
  npz("a.npz", {{"x.npy", good}, {"y.npy", npy("<i8", "6,", int64s({1, 2, 3, 4, -1, 0}))}});
  EXPECT_EQ(error_of({at("a.npz")}), at("a.npz") + ": y.npy holds, at byte 160, a number that is no label");
  npz("a.npz", {{"x.npy", good.substr(0, 200)}});
  EXPECT_EQ(error_of({at("a.npz")}), at("a.npz") + ": x.npy has 200 bytes where its head tells 224");
  npz("a.npz", {{"y.npy", npy("<i8", "1,", int64s({1}))}});
  EXPECT_NE(error_of({at("a.npz")}).find("holds no array of 8-bit unsigned pixels"), std::string::npos);
  write("a.npz", "PK no zip");
  EXPECT_EQ(error_of({at("a.npz")}),
            at("a.npz") + ": is not a whole .npz (zip): Unrecognized archive format at byte 0");
  const std::string whole = contents(npz("a.npz", {{"x.npy", good}}));
  write("a.npz", whole.substr(0, whole.size() - 30));
  EXPECT_NE(error_of({at("a.npz")}).find(at("a.npz") + ": is not a whole .npz (zip)"), std::string::npos);
}

TEST_F(Records, ADamagedNpzIsFoundByItsChecksum) {
  write_archive(folder_ / "a.npz", {{"x.npy", npy("|u1", "1000, 4, 4", std::string(16000, 'g'))}}, [](archive* out) {
    return archive_write_set_format_zip(out) | archive_write_zip_set_compression_store(out);
  });
  std::string bytes = contents(at("a.npz"));
  bytes[bytes.find("gggg") + 15000] = 'h';
  write("a.npz", bytes);
  const std::string line = error_of({at("a.npz")});
  EXPECT_TRUE(line.starts_with(at("a.npz") + ": x.npy record at byte 128 is damaged: ")) << line;
}

TEST_F(Records, ClassesByFolderAndByNumberDoNotMix) {
  png("cats/a.png", 32, 32, 3, random_pixels(3072, 1));
  write("a.bin", std::string(3073, '\0'));
  EXPECT_EQ(error_of({at("cats"), at("a.bin")}, 32), at("cats/a.png") + " and " + at("a.bin") +
                                                         ": record at byte 1: classes by folder and by number do not "
                                                         "mix; give them to separate runs");
}

TEST(ImageNet, VariantsAreToldApart) {
  EXPECT_TRUE(imagenet_variant(49'999, {32, 32, 3}, 1).starts_with("by number and classes the older ImageNet 32x32"));
  EXPECT_TRUE(
      imagenet_variant(50'000, {64, 64, 3}, 1000).starts_with("by number and classes the newer ImageNet 64x64"));
  EXPECT_TRUE(imagenet_variant(1'281'149, {64, 64, 3}, 1).find("older") != std::string::npos);
  EXPECT_TRUE(imagenet_variant(1'281'167, {32, 32, 3}, 1000).find("newer") != std::string::npos);
  EXPECT_EQ(imagenet_variant(50'000, {32, 32, 3}, 10), "") << "CIFAR-10";
  EXPECT_EQ(imagenet_variant(50'000, {32, 32, 1}, 1000), "");
  EXPECT_EQ(imagenet_variant(50'000, {28, 28, 3}, 1000), "");
}

}  // namespace
}  // namespace core::data
