#include "core/data/image_files.h"

#include <fmt/ranges.h>
#include <glob.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>

#include "core/data/packed_index.h"
#include "core/data/record_files.h"
#include "kernels/check.h"

namespace core::data {
namespace {

namespace fs = std::filesystem;

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

/// Pictures in formats that are not read are among them: they are refused by name like any that is damaged, never
/// left out unseen.
bool is_image_name(const fs::path& path) {
  constexpr std::array names{".png",  ".jpg",  ".jpeg", ".bmp", ".gif", ".webp", ".tif",
                             ".tiff", ".avif", ".heic", ".jxl", ".jp2", ".ppm",  ".pgm"};
  return std::ranges::find(names, lower_extension(path)) != names.end();
}

std::vector<fs::path> expand(const std::string& pattern) {
  if (fs::exists(pattern)) return {pattern};  // whatever its name has in it
  glob_t matches{};
  const int result = glob(pattern.c_str(), 0, nullptr, &matches);
  const std::unique_ptr<glob_t, decltype(&globfree)> guard(&matches, &globfree);
  kernels::require(result == 0, "{}: no such file or folder", pattern);
  return {matches.gl_pathv, matches.gl_pathv + matches.gl_pathc};
}

std::vector<ImageFile> in_folder(const fs::path& folder) {
  const auto container = std::make_shared<const Container>(Container{.folder = folder});
  std::vector<ImageFile> images;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink)) {
    if (entry.is_directory() || !is_image_name(entry.path())) continue;
    kernels::require(entry.is_regular_file(), "{}: is no file that can be read", entry.path().string());
    images.push_back({.in = container, .member = entry.path(), .bytes = static_cast<std::int64_t>(entry.file_size())});
  }
  std::sort(images.begin(), images.end(), [](const ImageFile& a, const ImageFile& b) { return a.member < b.member; });
  return images;
}

std::vector<ImageFile> in_tar(const fs::path& file) {
  const auto container = std::make_shared<const Container>(Container{.file = file});
  std::vector<ImageFile> images;
  for (const TarMember& member : tar_members(file, is_image_name)) {
    images.push_back({.in = container, .member = member.name, .offset = member.offset, .bytes = member.bytes});
  }
  return images;
}

bool in_records(const ImageFile& image) {
  return image.in->coding != Coding::picture;
}

using Parts = std::deque<std::string>;

/// The folder that a picture lies in, from the path that was given on.
Parts folder_of(const ImageFile& image) {
  fs::path folder = image.member.parent_path().lexically_normal();
  if (image.in->file.empty()) {
    const fs::path given = (image.in->folder / "").lexically_normal().parent_path();
    folder = folder.lexically_relative(given);
    if (folder == ".") folder = fs::absolute(given).filename();
  }
  Parts parts;
  for (const fs::path& part : folder) parts.push_back(part.string());
  return parts;
}

/// Takes off what all folders begin with, and what they end with, as long as something of each is left.
void strip(std::vector<Parts>& folders) {
  const auto all = [&](auto same) {
    return std::ranges::all_of(folders, [&](Parts& f) { return f.size() > 1 && same(f); });
  };
  while (all([&](Parts& f) { return f.front() == folders[0].front(); }))
    for (Parts& f : folders) f.pop_front();
  while (all([&](Parts& f) { return f.back() == folders[0].back(); }))
    for (Parts& f : folders) f.pop_back();
}

/// Gives pictures the number of their folder among all, and counts the classes.
void number_classes(Found& found) {
  std::map<Parts, std::int32_t> places;  // of the folders
  for (const ImageFile& image : found.images) {
    kernels::require(in_records(image) == in_records(found.images.front()),
                     "{} and {}: classes by folder and by number do not mix; give them to separate runs",
                     found.images.front().name(), image.name());
    if (in_records(image))
      found.classes = std::max(found.classes, image.in->classes > 0 ? image.in->classes : image.label + 1);
    else
      places[folder_of(image)] = 0;
  }
  if (places.empty()) return;
  std::vector<Parts> folders;
  for (auto& [parts, place] : places) {
    place = static_cast<std::int32_t>(folders.size());
    folders.push_back(parts);
  }
  strip(folders);
  found.classes = static_cast<std::int32_t>(folders.size());
  for (const Parts& parts : folders) found.class_names.push_back(fmt::format("{}", fmt::join(parts, "/")));
  for (ImageFile& image : found.images) image.label = places[folder_of(image)];
}

std::vector<std::uint8_t> read_bytes(const ImageFile& image) {
  errno = 0;
  std::ifstream in(image.in->file.empty() ? image.member : image.in->file, std::ios::binary);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(image.bytes));
  in.seekg(image.offset).read(reinterpret_cast<char*>(bytes.data()), image.bytes);
  if (!in) throw BadImage{fmt::format("cannot be read: {}", errno ? std::strerror(errno) : "it ends early")};
  return bytes;
}

/// [c,h,w] to [h,w,c].
std::vector<std::uint8_t> interleave(std::span<const std::uint8_t> planes, std::size_t channels) {
  std::vector<std::uint8_t> pixels(planes.size());
  const std::size_t area = planes.size() / channels;
  for (std::size_t i = 0; i < planes.size(); ++i) pixels[i] = planes[i % channels * area + i / channels];
  return pixels;
}

}  // namespace

std::string ImageFile::name() const {
  const std::string file = in->file.string();
  if (in_records(*this)) {
    const std::string inside = in->unpacked ? in->unpacked->member() : "";
    return fmt::format("{}:{}{} record at byte {}", file, inside.empty() ? "" : " ", inside, offset);
  }
  return file.empty() ? member.string() : fmt::format("{}: {} at byte {}", file, member.string(), offset);
}

Found find_images(const config::Files& files) {
  Found all;
  for (const std::string& pattern : files.path()) {
    for (const fs::path& path : expand(pattern)) {
      std::vector<ImageFile> found;
      kernels::require(!is_packed(path), "{0}: is a packed set of images; name it with packed {{ path: \"{0}\" }}",
                       path.string());
      if (fs::is_directory(path))
        found = in_folder(path);
      else if (lower_extension(path) == ".tar")
        found = in_tar(path);
      else if (is_record_file(path))
        found = record_images(path);
      else
        throw kernels::InputError(
            fmt::format("{}: is no folder, .tar, CIFAR .bin, .npy, .npz or MNIST ...-idx3-ubyte(.gz)", path.string()));
      kernels::require(!found.empty(), "{}: holds no .png, .jpg or .jpeg", path.string());
      all.images.insert(all.images.end(), found.begin(), found.end());
    }
  }
  number_classes(all);
  return all;
}

Image read_image(const ImageFile& image) {
  const Container& in = *image.in;
  if (in.classes > 0 && image.label >= in.classes)
    throw BadImage{fmt::format("has label {}, the largest is {}", image.label, in.classes - 1)};
  const std::vector<std::uint8_t> own = in.unpacked ? std::vector<std::uint8_t>() : read_bytes(image);
  std::span<const std::uint8_t> bytes = own;
  if (in.unpacked) {
    const auto at = static_cast<std::size_t>(image.offset), size = static_cast<std::size_t>(image.bytes);
    if (in.unpacked->bytes().size() < at + size) throw BadImage{"is not whole: the file was changed"};
    bytes = std::span(in.unpacked->bytes()).subspan(at, size);
  }
  switch (in.coding) {
    case Coding::picture:
      return decode(bytes);
    case Coding::interleaved:
      return {in.shape, {bytes.begin(), bytes.end()}};
    case Coding::planar:
      return {in.shape, interleave(bytes, static_cast<std::size_t>(in.shape.channels))};
  }
  throw std::logic_error("every coding is read");
}

}  // namespace core::data
