#include <xxhash.h>

#include "distributed/manifest.h"
#include "tests/fuzz/file.h"

/// A manifest, behind which the right length, checksum and magic number are written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::uint64_t trailer[] = {size, XXH3_64bits(data, size)};
  bytes.append(reinterpret_cast<const char*>(trailer), sizeof trailer).append("scormnfs");
  const auto folder =
      fuzz::as_file("MANIFEST.pb", {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}).parent_path();
  try {
    const distributed::Manifest manifest = distributed::read_manifest(folder);
    distributed::check_coverage(manifest);
    distributed::layout_of(manifest);
  } catch (const core::storage::FileError&) {
  }
  return 0;
}
