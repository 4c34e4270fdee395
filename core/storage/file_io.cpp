#include "core/storage/file_io.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdio>
#include <cstring>

namespace core::storage {
namespace {

[[noreturn]] void fail(const char* what, const std::filesystem::path& path) {
  const int code = errno;
  throw FileError(code, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(code)));
}

}  // namespace

File::File(std::filesystem::path path, int flags)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), flags | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) fail((flags & O_CREAT) != 0 ? "create" : "open", path_);
}

File File::create(const std::filesystem::path& path) {
  return {path, O_WRONLY | O_CREAT | O_EXCL};
}

File File::open(const std::filesystem::path& path) {
  return {path, O_RDONLY};
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::int64_t File::bytes() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail("inspect", path_);
  return status.st_size;
}

void File::write(std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t written = ::write(descriptor_, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path_);
    data = data.subspan(written);
  }
}

void File::read(std::span<std::byte> data, std::int64_t offset) const {
  while (!data.empty()) {
    const ssize_t count = ::pread(descriptor_, data.data(), data.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", path_);
    if (count == 0) throw FileError(damaged, fmt::format("{} ends at byte {}", path_.string(), offset));
    data = data.subspan(count);
    offset += count;
  }
}

void File::sync_and_close() {
  if (::fsync(descriptor_) != 0) fail("sync", path_);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("close", path_);
}

void sync_directory(const std::filesystem::path& directory) {
  File::open(directory).sync_and_close();
}

void make_directory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0755) != 0) fail("make the directory", path);
}

void make_directories(const std::filesystem::path& path) {
  if (path.empty() || std::filesystem::is_directory(path)) return;
  const std::filesystem::path parent = path.parent_path();
  make_directories(parent);
  if (::mkdir(path.c_str(), 0755) != 0) {
    const int code = errno;
    const bool another_job_was_faster = std::filesystem::is_directory(path);
    errno = code;
    if (!another_job_was_faster) fail("make the directory", path);
  }
  sync_directory(parent.empty() ? "." : parent);
}

void replace_file(const std::filesystem::path& path, std::string_view text) {
  const std::filesystem::path fresh = path.string() + ".new";
  ::unlink(fresh.c_str());  // what a crash may have left
  File file = File::create(fresh);
  file.write(std::as_bytes(std::span(text)));
  file.sync_and_close();
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), 0) != 0) fail("replace", path);
  sync_directory(path.has_parent_path() ? path.parent_path() : ".");
}

void rename_directory(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  // Some parallel file systems lack the flag; plain rename never replaces a directory that holds files.
  if ((errno != EINVAL && errno != ENOSYS) || ::rename(from.c_str(), to.c_str()) != 0) {
    fail(fmt::format("rename {} to", from.string()).c_str(), to);
  }
}

std::uint64_t checksum(std::span<const std::byte> data) {
  return XXH3_64bits(data.data(), data.size());
}

}  // namespace core::storage
