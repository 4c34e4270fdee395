#include <xxhash.h>

#include "core/data/packed_images.h"
#include "tests/fuzz/file.h"

/// An index, behind which the right checksum is written: a wrong one is refused before anything is parsed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> bytes(data, data + size);
  const std::uint64_t hash = XXH3_64bits(data, size);
  bytes.insert(bytes.end(), reinterpret_cast<const std::uint8_t*>(&hash),
               reinterpret_cast<const std::uint8_t*>(&hash) + sizeof hash);
  fuzz::as_file("shard-00000", std::vector<std::uint8_t>(48, 7));
  const auto folder = fuzz::as_file("index", bytes).parent_path();
  fuzz::refuses_or_reads([&] { core::data::open_packed(folder, {4, 4, 3}); });
  return 0;
}
