// Tar, zip and gzip files: what lies in them and where.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace core::data {

struct TarMember {
  std::string name;
  std::int64_t offset, bytes;  // of its contents in the tar
};

/// The files in an uncompressed tar for which `wanted` holds, as they lie. Throws InputError for a tar that is damaged,
/// truncated or compressed.
std::vector<TarMember> tar_members(const std::filesystem::path& file,
                                   const std::function<bool(const std::string&)>& wanted);

struct ZipMember {
  std::string name;
  std::vector<std::uint8_t> head;  // its first bytes
  std::int64_t bytes;              // all of it, unpacked
};

/// The files in a zip, each with its first `head` bytes. Throws InputError for a damaged or truncated zip.
std::vector<ZipMember> zip_members(const std::filesystem::path& file, std::size_t head);

/// The contents of a gzip file, or of one member of a zip, unpacked and checked when first asked for.
class Unpacked {
 public:
  explicit Unpacked(std::filesystem::path file, std::string zip_member = {})
      : file_(std::move(file)), member_(std::move(zip_member)) {}
  const std::string& member() const { return member_; }
  /// Safe from several threads. Throws BadImage (decode.h) where the file is damaged.
  const std::vector<std::uint8_t>& bytes();

 private:
  void unpack();
  void unpack_gzip();
  void unpack_zip_member();

  std::filesystem::path file_;
  std::string member_;
  std::once_flag once_;
  std::vector<std::uint8_t> bytes_;
  std::optional<std::string> problem_;
};

}  // namespace core::data
