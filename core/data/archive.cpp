#include "core/data/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

#include "core/data/decode.h"
#include "kernels/check.h"

namespace core::data {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t largest_ratio = 1032;  // of deflate: one bit for a match of 258 bytes, two at the least

using Reader = std::unique_ptr<archive, decltype(&archive_read_free)>;

Reader make_reader(const std::function<void(archive*)>& format) {
  Reader reader(archive_read_new(), &archive_read_free);
  format(reader.get());
  return reader;
}

std::string reason(archive* reader) {
  const char* text = archive_error_string(reader);
  return text ? text : "unreadable";
}

void open_file(const Reader& reader, const fs::path& file, const char* what) {
  kernels::require(archive_read_open_filename(reader.get(), file.c_str(), 1 << 16) >= ARCHIVE_WARN, "{}: is not {}: {}",
                   file.string(), what, reason(reader.get()));
}

/// The next file or folder; nullptr at the end.
archive_entry* next_entry(const Reader& reader, const fs::path& file, const char* what) {
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(reader.get(), &entry);
  if (result == ARCHIVE_EOF) return nullptr;
  kernels::require(result >= ARCHIVE_WARN, "{}: is not {}: {} at byte {}", file.string(), what, reason(reader.get()),
                   archive_filter_bytes(reader.get(), -1));
  return entry;
}

std::string name_of(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  return name ? name : "";
}

constexpr const char* tar = "a whole, uncompressed tar";
constexpr const char* zip = "a whole .npz (zip)";

}  // namespace

std::vector<TarMember> tar_members(const fs::path& file, const std::function<bool(const std::string&)>& wanted) {
  const Reader reader = make_reader([](archive* a) { archive_read_support_format_tar(a); });
  open_file(reader, file, tar);
  const auto length = static_cast<std::int64_t>(fs::file_size(file));
  std::vector<TarMember> members;
  while (archive_entry* entry = next_entry(reader, file, tar)) {
    const std::string name = name_of(entry);
    if (archive_entry_filetype(entry) != AE_IFREG || !wanted(name)) continue;
    // The member's bytes follow its header, which libarchive has just consumed.
    const std::int64_t offset = archive_filter_bytes(reader.get(), 0), bytes = archive_entry_size(entry);
    kernels::require(bytes >= 0 && bytes <= length - offset, "{}: ends inside {} at byte {}: the tar is truncated",
                     file.string(), name, offset);
    members.push_back({name, offset, bytes});
  }
  return members;
}

std::vector<ZipMember> zip_members(const fs::path& file, std::size_t head) {
  const Reader reader = make_reader([](archive* a) { archive_read_support_format_zip_seekable(a); });
  open_file(reader, file, zip);
  std::vector<ZipMember> members;
  while (archive_entry* entry = next_entry(reader, file, zip)) {
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    ZipMember member{name_of(entry), std::vector<std::uint8_t>(head), archive_entry_size(entry)};
    const la_ssize_t got = archive_read_data(reader.get(), member.head.data(), head);
    kernels::require(got >= 0, "{}: {} is damaged: {}", file.string(), member.name, reason(reader.get()));
    member.head.resize(static_cast<std::size_t>(got));
    members.push_back(std::move(member));
  }
  return members;
}

const std::vector<std::uint8_t>& Unpacked::bytes() {
  std::call_once(once_, [&] {
    try {
      unpack();
    } catch (const std::exception& error) {
      problem_ = error.what();
    }
  });
  if (problem_) throw BadImage{*problem_};
  return bytes_;
}

void Unpacked::unpack() {
  const Reader reader = make_reader([&](archive* a) {
    if (!member_.empty()) return void(archive_read_support_format_zip_seekable(a));
    archive_read_support_filter_gzip(a);
    archive_read_support_format_raw(a);
  });
  const char* what = member_.empty() ? "a whole gzip file" : zip;
  open_file(reader, file_, what);
  archive_entry* entry = next_entry(reader, file_, what);
  while (entry && !member_.empty() && name_of(entry) != member_) entry = next_entry(reader, file_, what);
  kernels::require(entry != nullptr, "cannot be read: the file was changed");
  const std::int64_t largest = largest_ratio * static_cast<std::int64_t>(fs::file_size(file_));
  if (archive_entry_size_is_set(entry))
    bytes_.reserve(static_cast<std::size_t>(std::clamp(archive_entry_size(entry), std::int64_t{0}, largest)));
  const void* block = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  int result;
  while ((result = archive_read_data_block(reader.get(), &block, &size, &offset)) == ARCHIVE_OK) {
    const auto* from = static_cast<const std::uint8_t*>(block);
    bytes_.insert(bytes_.end(), from, from + size);
  }
  kernels::require(result == ARCHIVE_EOF, "is damaged: {} after {} unpacked bytes", reason(reader.get()),
                   bytes_.size());
}

}  // namespace core::data
