// What a fuzz target needs: its input as a file, and a parser that may refuse it but may not fail.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "core/config/run.pb.h"
#include "core/data/decode.h"
#include "core/data/image_files.h"
#include "kernels/check.h"

namespace fuzz {

using Bytes = std::span<const std::uint8_t>;

/// Writes the input to a file of this name in a folder of this process.
inline std::filesystem::path as_file(const std::string& name, Bytes bytes) {
  static const std::filesystem::path folder = [] {
    const auto path = std::filesystem::temp_directory_path() / ("scoremle_fuzz_" + std::to_string(getpid()));
    std::filesystem::create_directories(path);
    return path;
  }();
  std::ofstream out(folder / name, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  return folder / name;
}

/// Refusing an input is what a parser is for; every other exception ends the process.
template <typename Parse>
void refuses_or_reads(Parse parse) {
  try {
    parse();
  } catch (const kernels::InputError&) {
  } catch (const core::data::BadImage&) {
  }
}

/// Finds the images of a file and reads the first few.
inline void read_all(const std::filesystem::path& file) {
  refuses_or_reads([&] {
    core::config::Files files;
    files.add_path(file.string());
    const core::data::Found found = core::data::find_images(files);
    for (std::size_t i = 0; i < std::min<std::size_t>(found.images.size(), 16); ++i)
      refuses_or_reads([&] { core::data::fit(core::data::read_image(found.images[i]), 4, 3); });
  });
}

}  // namespace fuzz
