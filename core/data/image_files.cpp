#include "core/data/image_files.h"

#include <archive.h>
#include <archive_entry.h>
#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "core/data/decode.h"
#include "kernels/check.h"

namespace core::data {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t cifar_record = 1 + 3 * 32 * 32;

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

bool is_image_name(const fs::path& path) {
  const std::string extension = lower_extension(path);
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

std::vector<fs::path> expand(const std::string& pattern) {
  glob_t matches{};
  const int result = glob(pattern.c_str(), 0, nullptr, &matches);
  const std::unique_ptr<glob_t, decltype(&globfree)> guard(&matches, &globfree);
  kernels::require(result == 0, "{}: no such file or folder", pattern);
  return {matches.gl_pathv, matches.gl_pathv + matches.gl_pathc};
}

std::vector<ImageFile> in_folder(const fs::path& folder) {
  std::vector<ImageFile> images;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink)) {
    if (!entry.is_regular_file() || !is_image_name(entry.path())) continue;
    images.push_back({.file = entry.path(),
                      .member = {},
                      .bytes = static_cast<std::int64_t>(entry.file_size()),
                      .label = entry.path().parent_path().filename().string()});
  }
  std::sort(images.begin(), images.end(), [](const ImageFile& a, const ImageFile& b) { return a.file < b.file; });
  return images;
}

std::vector<ImageFile> in_tar(const fs::path& file) {
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), &archive_read_free);
  archive_read_support_format_tar(reader.get());
  const auto check = [&](int result) {
    kernels::require(result >= ARCHIVE_WARN, "{}: is not a whole, uncompressed tar: {} at byte {}", file.string(),
                     archive_error_string(reader.get()) ? archive_error_string(reader.get()) : "unreadable",
                     archive_filter_bytes(reader.get(), 0));
    return result;
  };
  check(archive_read_open_filename(reader.get(), file.c_str(), 1 << 16));
  const auto length = static_cast<std::int64_t>(fs::file_size(file));
  std::vector<ImageFile> images;
  for (archive_entry* entry = nullptr; check(archive_read_next_header(reader.get(), &entry)) != ARCHIVE_EOF;) {
    const fs::path name = archive_entry_pathname(entry);
    if (archive_entry_filetype(entry) != AE_IFREG || !is_image_name(name)) continue;
    // The member's bytes follow its header, which libarchive has just consumed.
    const std::int64_t offset = archive_filter_bytes(reader.get(), 0), bytes = archive_entry_size(entry);
    kernels::require(offset + bytes <= length, "{}: ends inside {} at byte {}: the tar is truncated", file.string(),
                     name.string(), offset);
    images.push_back({.file = file,
                      .member = name.string(),
                      .offset = offset,
                      .bytes = bytes,
                      .label = name.parent_path().filename().string()});
  }
  return images;
}

std::vector<ImageFile> in_cifar(const fs::path& file) {
  const auto length = static_cast<std::int64_t>(fs::file_size(file));
  kernels::require(length > 0 && length % cifar_record == 0,
                   "{}: has {} bytes, no multiple of the {} of a CIFAR-10 record", file.string(), length, cifar_record);
  std::vector<ImageFile> images;
  for (std::int64_t offset = 0; offset < length; offset += cifar_record) {
    images.push_back({.file = file, .member = {}, .offset = offset, .bytes = cifar_record, .label = {}, .cifar = true});
  }
  return images;
}

}  // namespace

std::string ImageFile::name() const {
  if (cifar) return fmt::format("{}: record at byte {}", file.string(), offset);
  return member.empty() ? file.string() : fmt::format("{}: {} at byte {}", file.string(), member, offset);
}

std::vector<ImageFile> find_images(const config::Files& files) {
  std::vector<ImageFile> images;
  for (const std::string& pattern : files.path()) {
    for (const fs::path& path : expand(pattern)) {
      const std::string extension = lower_extension(path);
      std::vector<ImageFile> found;
      if (fs::is_directory(path))
        found = in_folder(path);
      else if (extension == ".tar")
        found = in_tar(path);
      else if (extension == ".bin")
        found = in_cifar(path);
      else
        throw kernels::InputError(fmt::format("{}: is no folder, .tar or CIFAR-10 .bin", path.string()));
      kernels::require(!found.empty(), "{}: holds no .png, .jpg or .jpeg", path.string());
      images.insert(images.end(), found.begin(), found.end());
    }
  }
  return images;
}

std::vector<std::uint8_t> read_bytes(const ImageFile& image) {
  std::ifstream in(image.file, std::ios::binary);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(image.bytes));
  in.seekg(image.offset).read(reinterpret_cast<char*>(bytes.data()), image.bytes);
  if (!in) throw BadImage{fmt::format("cannot be read: {}", errno ? std::strerror(errno) : "it ends early")};
  return bytes;
}

}  // namespace core::data
