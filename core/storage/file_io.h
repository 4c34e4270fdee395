// File operations whose every result is checked, for data that must survive a crash.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace core::storage {

/// A file operation that failed; the text names the file. `code` is its errno, or damaged.
struct FileError : std::runtime_error {
  FileError(int error_code, const std::string& text) : std::runtime_error(text), code(error_code) {}
  int code;
};
/// The code of a file that was read but does not hold what it should.
constexpr int damaged = EBADMSG;

/// An open file. The destructor closes it without a check: writers call sync_and_close().
class File {
 public:
  /// Creates `path`, which must not exist, for writing.
  static File create(const std::filesystem::path& path);
  static File open(const std::filesystem::path& path);
  File(File&& other) noexcept : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&&) = delete;
  ~File();

  const std::filesystem::path& path() const { return path_; }
  std::int64_t bytes() const;
  /// Appends all of `data`.
  void write(std::span<const std::byte> data);
  /// Fills `data` from byte `offset`; a file that ends before is damaged.
  void read(std::span<std::byte> data, std::int64_t offset) const;
  /// Returns when the storage has everything: some file systems report a full disk only here.
  void sync_and_close();

 private:
  File(std::filesystem::path path, int flags);
  std::filesystem::path path_;
  int descriptor_;
};

/// Makes the names in `directory` durable.
void sync_directory(const std::filesystem::path& directory);
/// Makes `path`, which must not exist; its parent must.
void make_directory(const std::filesystem::path& path);
/// Makes `path` and the parents that it lacks, all durable.
void make_directories(const std::filesystem::path& path);
/// Writes a file that is at any time, and after any crash, either the old one or the whole new one.
void replace_file(const std::filesystem::path& path, std::string_view text);
/// Renames a directory; `to` must not exist.
void rename_directory(const std::filesystem::path& from, const std::filesystem::path& to);

/// XXH3-64.
std::uint64_t checksum(std::span<const std::byte> data);

}  // namespace core::storage
