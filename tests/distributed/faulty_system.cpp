// The definitions here take the place of the C library's in this program; each ends in the real system call.
#include "tests/distributed/faulty_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <optional>

namespace distributed::testing {
namespace {

std::mutex mutex;
std::optional<Fault> fault;
std::vector<std::string> recorded;

std::string path_of(int descriptor) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), error);
}

// What to do at this call; errno is set.
std::optional<Deed> fate(const std::string& call, const std::string& path) {
  const std::scoped_lock lock(mutex);
  if (!fault) return {};
  recorded.push_back(call + " " + path);
  const bool meant = fault->call == call || (fault->call.empty() && call != "pread");
  if (!meant || path.find(fault->path) == std::string::npos) return {};
  if (fault->skip-- > 0 || fault->times-- <= 0) return {};
  if (fault->deed == Deed::kill) ::kill(getpid(), SIGKILL);
  errno = fault->code;
  return fault->deed;
}

}  // namespace

FaultySystem::FaultySystem(Fault new_fault) {
  const std::scoped_lock lock(mutex);
  fault = std::move(new_fault);
  recorded.clear();
}
FaultySystem::~FaultySystem() {
  const std::scoped_lock lock(mutex);
  fault.reset();
}
std::vector<std::string> FaultySystem::calls() {
  const std::scoped_lock lock(mutex);
  return recorded;
}

}  // namespace distributed::testing

using distributed::testing::Deed;
using distributed::testing::fate;
using distributed::testing::path_of;

extern "C" {

ssize_t write(int descriptor, const void* data, size_t bytes) {
  const auto deed = fate("write", path_of(descriptor));
  if (deed == Deed::fail) return -1;
  if (deed == Deed::lie) {
    const std::vector<char> zeros(bytes);
    return syscall(SYS_write, descriptor, zeros.data(), bytes);
  }
  return syscall(SYS_write, descriptor, data, bytes);
}

ssize_t pread(int descriptor, void* data, size_t bytes, off_t offset) {
  if (fate("pread", path_of(descriptor)) == Deed::fail) return -1;
  return syscall(SYS_pread64, descriptor, data, bytes, offset);
}

int fsync(int descriptor) {
  if (fate("fsync", path_of(descriptor)) == Deed::fail) return -1;
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (fate("mkdir", path) == Deed::fail) return -1;
  return static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int unlinkat(int directory, const char* name, int flags) noexcept {
  if (fate("unlinkat", path_of(directory) + "/" + name) == Deed::fail) return -1;
  return static_cast<int>(syscall(SYS_unlinkat, directory, name, flags));
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) noexcept {
  if (fate("renameat2", to) == Deed::fail) return -1;
  return static_cast<int>(syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
}
}
