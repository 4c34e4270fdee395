#include "core/data/packed_images.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "kernels/check.h"

namespace core::data {

namespace fs = std::filesystem;

MappedFile::MappedFile(const fs::path& file, std::int64_t bytes)
    : data_(nullptr), bytes_(static_cast<std::size_t>(bytes)) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  const bool whole = descriptor >= 0 && ::fstat(descriptor, &status) == 0 && status.st_size == bytes;
  void* mapped = whole ? ::mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, descriptor, 0) : MAP_FAILED;
  const int code = errno;
  if (descriptor >= 0) ::close(descriptor);
  kernels::require(mapped != MAP_FAILED, "{}: cannot be mapped: {}", file.string(),
                   descriptor >= 0 && !whole ? "it was changed" : std::strerror(code));
  data_ = static_cast<const std::uint8_t*>(mapped);
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<std::uint8_t*>(data_), bytes_);
}

void PackedImages::read(std::int64_t index, std::span<std::uint8_t> out) const {
  const std::uint8_t* shard = shards[static_cast<std::size_t>(index / shard_images)]->data();
  std::copy_n(shard + index % shard_images * std::ssize(out), std::ssize(out), out.begin());
}

PackedImages map_shards(const fs::path& folder, const PackedIndex& index) {
  PackedImages set{.facts = {.images = index.images(),
                             .classes = index.classes(),
                             .class_names = {index.class_names().begin(), index.class_names().end()},
                             .skipped = index.skipped(),
                             .first_skipped = index.first_skipped(),
                             .altered = index.altered()},
                   .labels = {index.labels().begin(), index.labels().end()},
                   .fingerprint = index.fingerprint(),
                   .shard_images = index.shard_images(),
                   .shards = {}};
  for (std::int64_t shard = 0; shard < shards_of(index); ++shard)
    set.shards.push_back(std::make_shared<const MappedFile>(shard_file(folder, shard), shard_bytes(index, shard)));
  return set;
}

PackedImages open_packed(const fs::path& folder, const ImageShape& shape) {
  const PackedIndex index = read_index(folder);
  kernels::require(shape_of(index) == shape,
                   "{}: holds images of {}x{}x{} where data.image_size is {} and data.channels {}; set these, or pack "
                   "the images again",
                   folder.string(), index.height(), index.width(), index.channels(), shape.height, shape.channels);
  const std::int64_t shards = shards_of(index);
  std::vector<std::optional<std::string>> problems(static_cast<std::size_t>(shards));
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t shard = 0; shard < shards; ++shard) {
    try {
      read_blocks(folder, index, shard, [](std::span<const std::byte>) {});
    } catch (const std::exception& error) {  // may not leave a parallel region
      problems[static_cast<std::size_t>(shard)] = error.what();
    }
  }
  for (const auto& problem : problems) kernels::require(!problem, "{}", problem.value_or(""));
  return map_shards(folder, index);
}

}  // namespace core::data
