// A folder for files that a test writes, and data sets opened from it.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "core/data/dataset.h"
#include "core/picture/png.h"
#include "kernels/check.h"

namespace core::data {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

class Data : public testing::Test {
 protected:
  Data()
      : folder_(fs::path(testing::TempDir()) /
                ("data_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Data() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  fs::path png(const std::string& name, int width, int height, int channels, const Bytes& pixels) const {
    fs::create_directories((folder_ / name).parent_path());
    picture::write_png(folder_ / name, {.width = width, .height = height, .channels = channels, .pixels = pixels});
    return folder_ / name;
  }
  static Dataset open_files(const std::vector<std::string>& paths, int size, int channels,
                            config::Unreadable unreadable = config::STOP) {
    config::RunConfig config;
    for (const std::string& path : paths) config.mutable_data()->mutable_training()->mutable_files()->add_path(path);
    config.mutable_data()->set_image_size(size);
    config.mutable_data()->set_channels(channels);
    config.mutable_data()->set_unreadable(unreadable);
    return open(config, config.data().training());
  }
  static std::string error_of(const std::vector<std::string>& paths, int size = 4,
                              config::Unreadable unreadable = config::STOP) {
    try {
      open_files(paths, size, 3, unreadable);
    } catch (const kernels::InputError& error) {
      return error.what();
    }
    return "no error";
  }
  static Bytes image(const Dataset& dataset, std::int64_t index) {
    Bytes pixels(static_cast<std::size_t>(dataset.shape().elements()));
    dataset.read(index, pixels);
    return pixels;
  }

  fs::path folder_;
};

inline Bytes random_pixels(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  Bytes pixels(count);
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random());
  return pixels;
}

/// A tar or, with `format` so, another archive of these files.
inline void write_archive(const fs::path& file, const std::vector<std::pair<std::string, std::string>>& members,
                          int (*format)(archive*)) {
  archive* out = archive_write_new();
  format(out);
  archive_write_open_filename(out, file.c_str());
  for (const auto& [name, bytes] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(out, entry);
    archive_write_data(out, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  archive_write_free(out);
}

inline void write_tar(const fs::path& file, const std::vector<std::pair<std::string, std::string>>& members) {
  write_archive(file, members, archive_write_set_format_ustar);
}

inline std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace core::data
