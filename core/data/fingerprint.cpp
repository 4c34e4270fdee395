#include "core/data/fingerprint.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <memory>
#include <vector>

namespace core::data {

std::string fingerprint(std::int64_t images, const ImageShape& shape, std::int64_t hashed,
                        const std::function<void(std::int64_t, std::span<std::uint8_t>)>& read) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_128bits_reset(state.get());
  const std::int64_t header[] = {images, shape.height, shape.width, shape.channels};
  XXH3_128bits_update(state.get(), header, sizeof header);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(shape.elements()));
  for (std::int64_t i = 0; i < hashed; ++i) {
    read(i, pixels);
    XXH3_128bits_update(state.get(), pixels.data(), pixels.size());
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace core::data
