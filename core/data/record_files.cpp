#include "core/data/record_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/data/array.h"
#include "kernels/check.h"

namespace core::data {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

Bytes first_bytes(const fs::path& file, std::size_t count) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  Bytes bytes(count);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(count));
  kernels::require(in.gcount() > 0 || (in.eof() && !errno), "{}: cannot be read: {}", file.string(),
                   std::strerror(errno));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

/// What `read` makes of an array's file, with the file's name before what it throws.
template <typename Read>
auto of_file(const std::string& name, Read read) {
  try {
    return read();
  } catch (const BadImage& bad) {
    throw kernels::InputError(fmt::format("{} {}", name, bad.reason));
  }
}

std::vector<ImageFile> records(Container container, std::int64_t count, std::int64_t offset,
                               const std::vector<std::int32_t>& labels) {
  const auto shared = std::make_shared<const Container>(std::move(container));
  const std::int64_t each = shared->shape.elements();
  std::vector<ImageFile> images;
  for (std::int64_t i = 0; i < count; ++i) {
    images.push_back({.in = shared,
                      .member = {},
                      .offset = offset + i * each,
                      .bytes = each,
                      .label = labels.empty() ? 0 : labels[static_cast<std::size_t>(i)]});
  }
  return images;
}

/// 1 label (CIFAR-10) or 2 (CIFAR-100: coarse and fine, which is kept) before 3072 planar bytes.
std::vector<ImageFile> in_cifar(const fs::path& file) {
  constexpr std::int64_t pixels = 3072;
  const auto length = static_cast<std::int64_t>(fs::file_size(file));
  const bool ten = length > 0 && length % (pixels + 1) == 0, hundred = length > 0 && length % (pixels + 2) == 0;
  kernels::require(ten != hundred,
                   "{}: has {} bytes, no multiple of the {} of a CIFAR-10 record or of the {} of a CIFAR-100 one{}",
                   file.string(), length, pixels + 1, pixels + 2, ten ? " alone, but of both: split it" : "");
  const std::int64_t labels = ten ? 1 : 2;
  const auto shared = std::make_shared<const Container>(Container{
      .file = file, .unpacked = {}, .coding = Coding::planar, .shape = {32, 32, 3}, .classes = ten ? 10 : 100});
  std::ifstream in(file, std::ios::binary);
  std::vector<ImageFile> images;
  for (std::int64_t record = 0; record < length; record += pixels + labels) {
    const std::int64_t offset = record + labels;
    const int label = in.seekg(offset - 1).get();
    kernels::require(in.good(), "{}: cannot be read at byte {}", file.string(), offset - 1);
    images.push_back({.in = shared, .member = {}, .offset = offset, .bytes = pixels, .label = label});
  }
  return images;
}

/// An IDX file, or one packed with gzip: its head, and all of it where it was packed.
struct Idx {
  ArrayHead head;
  std::shared_ptr<Unpacked> unpacked;
};

Idx read_idx(const fs::path& file) {
  return of_file(file.string(), [&] {
    Idx idx;
    if (file.extension() == ".gz") idx.unpacked = std::make_shared<Unpacked>(file);
    idx.head = parse_idx(idx.unpacked ? idx.unpacked->bytes() : first_bytes(file, 32));
    const auto length = static_cast<std::int64_t>(idx.unpacked ? idx.unpacked->bytes().size() : fs::file_size(file));
    if (length != idx.head.offset + idx.head.bytes())
      throw BadImage{fmt::format("has {} bytes where its head tells {}", length, idx.head.offset + idx.head.bytes())};
    return idx;
  });
}

/// MNIST's labels lie beside its images, in train-labels-idx1-ubyte for train-images-idx3-ubyte.
fs::path labels_beside(const fs::path& images) {
  std::string name = images.filename().string();
  const std::size_t at = name.find("images");
  kernels::require(at != std::string::npos, "{}: is no IDX file of images (its name has no \"images\")",
                   images.string());
  name.replace(at, 6, "labels");
  const std::size_t idx = name.find("idx");
  if (idx + 3 < name.size()) name[idx + 3] = '1';
  return images.parent_path() / name;
}

std::vector<ImageFile> in_idx(const fs::path& file) {
  const fs::path beside = labels_beside(file);
  kernels::require(fs::exists(beside), "{}: is missing: the labels of {}", beside.string(), file.string());
  const Idx idx = read_idx(file), names = read_idx(beside);
  const ImageArray array = of_file(file.string(), [&] { return images_of(idx.head); });
  kernels::require(names.head.extent == std::vector{array.images}, "{}: holds {} labels, {} holds {} images",
                   beside.string(), names.head.elements(), file.string(), array.images);
  const auto labels = of_file(beside.string(), [&] {
    return labels_of(names.head, names.unpacked ? names.unpacked->bytes() : first_bytes(beside, fs::file_size(beside)));
  });
  return records({.file = file, .unpacked = idx.unpacked, .coding = array.coding, .shape = array.shape}, array.images,
                 idx.head.offset, labels);
}

std::vector<ImageFile> in_npy(const fs::path& file) {
  return of_file(file.string(), [&] {
    const ArrayHead head = parse_npy(first_bytes(file, largest_head));
    const ImageArray array = images_of(head);
    const auto length = static_cast<std::int64_t>(fs::file_size(file));
    if (length != head.offset + head.bytes())
      throw BadImage{fmt::format("has {} bytes where its head tells {}", length, head.offset + head.bytes())};
    return records({.file = file, .unpacked = {}, .coding = array.coding, .shape = array.shape}, array.images,
                   head.offset, {});
  });
}

struct Member {
  std::string name;
  ArrayHead head;
};

/// The one member for which `is` holds; nullptr where there is none.
template <typename Is>
const Member* only(const fs::path& file, const std::vector<Member>& members, const char* what, Is is) {
  const Member* found = nullptr;
  for (const Member& member : members) {
    if (!is(member.head)) continue;
    kernels::require(!found, "{}: {} and {} could both be its {}; leave one", file.string(), found ? found->name : "",
                     member.name, what);
    found = &member;
  }
  return found;
}

/// ImageNet 32x32 and 64x64 as image-net.org distributes them: `data` of rows with red first, then green and blue, and
/// `labels` from 1 to 1000.
bool is_imagenet(const Member& images, const Member* labels) {
  const auto& extent = images.head.extent;
  return images.name == "data.npy" && labels && labels->name == "labels.npy" && extent.size() == 2 &&
         (extent[1] == 3 * 32 * 32 || extent[1] == 3 * 64 * 64);
}

std::vector<ImageFile> in_npz(const fs::path& file) {
  std::vector<Member> members;
  for (const ZipMember& member : zip_members(file, largest_head)) {
    const std::string name = fmt::format("{}: {}", file.string(), member.name);
    const ArrayHead head = of_file(name, [&] { return parse_npy(member.head); });
    kernels::require(head.bytes() == 0 || member.bytes == head.offset + head.bytes(),
                     "{} has {} bytes where its head tells {}", name, member.bytes, head.offset + head.bytes());
    members.push_back({member.name, head});
  }
  const Member* images =
      only(file, members, "images", [](const ArrayHead& head) { return head.type == "|u1" && head.extent.size() > 1; });
  kernels::require(images != nullptr, "{}: holds no array of 8-bit unsigned pixels (uint8) of 2 or more dimensions",
                   file.string());
  const Member* numbers = only(file, members, "labels", [&](const ArrayHead& head) {
    return head.type.find_first_of("iu") == 1 && head.elements() == head.extent[0];
  });
  kernels::require(!numbers || numbers->head.extent[0] == images->head.extent[0],
                   "{}: {} holds {} labels, {} holds {} images", file.string(), numbers ? numbers->name : "",
                   numbers ? numbers->head.elements() : 0, images->name, images->head.extent[0]);

  const std::string name = fmt::format("{}: {}", file.string(), images->name);
  const bool imagenet = is_imagenet(*images, numbers);
  const int side = images->head.extent[1] == 3 * 32 * 32 ? 32 : 64;
  const ImageArray array = imagenet ? ImageArray{images->head.extent[0], {side, side, 3}, Coding::planar}
                                    : of_file(name, [&] { return images_of(images->head); });
  std::vector<std::int32_t> labels;
  if (numbers) {
    labels = of_file(fmt::format("{}: {}", file.string(), numbers->name),
                     [&] { return labels_of(numbers->head, Unpacked(file, numbers->name).bytes()); });
  }
  if (imagenet) {
    for (std::int32_t& label : labels) {
      kernels::require(label >= 1 && label <= 1000,
                       "{}: is made like ImageNet's batches, but has a label {} where theirs are 1 to 1000; name its "
                       "arrays otherwise, and its images [images, height, width, channels]",
                       file.string(), label);
      --label;
    }
  }
  return records({.file = file,
                  .unpacked = std::make_shared<Unpacked>(file, images->name),
                  .coding = array.coding,
                  .shape = array.shape,
                  .classes = imagenet ? 1000 : 0},
                 array.images, images->head.offset, labels);
}

}  // namespace

bool is_record_file(const fs::path& file) {
  const std::string name = file.filename().string();
  return file.extension() == ".bin" || file.extension() == ".npy" || file.extension() == ".npz" ||
         (name.find("idx") != std::string::npos && name.find("ubyte") != std::string::npos);
}

std::vector<ImageFile> record_images(const fs::path& file) {
  kernels::require(fs::is_regular_file(file) && fs::file_size(file) > 0, "{}: is empty, or no file", file.string());
  if (file.extension() == ".bin") return in_cifar(file);
  if (file.extension() == ".npy") return in_npy(file);
  return file.extension() == ".npz" ? in_npz(file) : in_idx(file);
}

}  // namespace core::data
