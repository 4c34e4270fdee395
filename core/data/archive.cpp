#include "core/data/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
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

/// `what` the file should have been.
int check(const Reader& reader, int result, const char* what) {
  if (result < ARCHIVE_WARN && result != ARCHIVE_EOF)
    throw BadImage{fmt::format("is not {}: {} at byte {}", what, reason(reader.get()),
                               std::max(archive_filter_bytes(reader.get(), -1), la_int64_t{0}))};
  return result;
}

void open_file(const Reader& reader, const fs::path& file, const char* what) {
  check(reader, archive_read_open_filename(reader.get(), file.c_str(), 1 << 16), what);
}

/// The next file or folder; nullptr at the end.
archive_entry* next_entry(const Reader& reader, const char* what) {
  archive_entry* entry = nullptr;
  return check(reader, archive_read_next_header(reader.get(), &entry), what) == ARCHIVE_EOF ? nullptr : entry;
}

/// What `list` makes of the file, with the file's name before what it throws.
template <typename List>
auto listing(const fs::path& file, List list) {
  try {
    return list();
  } catch (const BadImage& bad) {
    throw kernels::InputError(fmt::format("{}: {}", file.string(), bad.reason));
  }
}

std::string name_of(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  return name ? name : "";
}

constexpr std::int64_t block_bytes = 512;  // of a tar
constexpr const char* tar = "a whole, uncompressed tar";
constexpr const char* zip = "a whole .npz (zip)";

/// A tar ends with two blocks of zeros: libarchive takes one, or the end of the file, for its end.
void require_end_of_tar(const fs::path& file, std::int64_t end) {
  std::ifstream in(file, std::ios::binary);
  in.seekg(end);
  std::vector<char> block(1 << 16);
  std::int64_t zeros = 0;
  do {
    in.read(block.data(), std::ssize(block));
    const auto last = block.begin() + in.gcount();
    const auto other = std::find_if(block.begin(), last, [](char c) { return c != 0; });
    zeros += other - block.begin();
    if (other != last)
      throw BadImage{fmt::format("has something behind its end, at byte {}: it is damaged, or several tars in one file",
                                 end + zeros)};
  } while (in.gcount() > 0);
  if (zeros < 2 * block_bytes)
    throw BadImage{
        fmt::format("ends at byte {} without the two blocks of zeros of a tar's end: it is truncated", end + zeros)};
}

}  // namespace

std::vector<TarMember> tar_members(const fs::path& file, const std::function<bool(const std::string&)>& wanted) {
  return listing(file, [&] {
    const Reader reader = make_reader([](archive* a) { archive_read_support_format_tar(a); });
    open_file(reader, file, tar);
    const auto length = static_cast<std::int64_t>(fs::file_size(file));
    std::vector<TarMember> members;
    std::int64_t end = 0;
    while (archive_entry* entry = next_entry(reader, tar)) {
      const std::string name = name_of(entry);
      // The member's bytes follow its header, which libarchive has just consumed.
      const std::int64_t offset = archive_filter_bytes(reader.get(), 0), bytes = archive_entry_size(entry);
      if (bytes < 0 || bytes > length - offset)
        throw BadImage{fmt::format("ends inside {} at byte {}: the tar is truncated", name, offset)};
      end = offset + (bytes + block_bytes - 1) / block_bytes * block_bytes;
      if (!wanted(name)) continue;
      const bool link = archive_entry_hardlink(entry) || archive_entry_filetype(entry) == AE_IFLNK;
      if (link)
        throw BadImage{fmt::format("holds {} as a link: make the tar with --dereference and --hard-dereference", name)};
      if (archive_entry_filetype(entry) == AE_IFREG) members.push_back({name, offset, bytes});
    }
    require_end_of_tar(file, end);
    return members;
  });
}

std::vector<ZipMember> zip_members(const fs::path& file, std::size_t head) {
  return listing(file, [&] {
    const Reader reader = make_reader([](archive* a) { archive_read_support_format_zip_seekable(a); });
    open_file(reader, file, zip);
    std::vector<ZipMember> members;
    while (archive_entry* entry = next_entry(reader, zip)) {
      if (archive_entry_filetype(entry) != AE_IFREG) continue;
      ZipMember member{name_of(entry), std::vector<std::uint8_t>(head), archive_entry_size(entry)};
      const la_ssize_t got = archive_read_data(reader.get(), member.head.data(), head);
      if (got < 0) throw BadImage{fmt::format("{} is damaged: {}", member.name, reason(reader.get()))};
      member.head.resize(static_cast<std::size_t>(got));
      members.push_back(std::move(member));
    }
    return members;
  });
}

const std::vector<std::uint8_t>& Unpacked::bytes() {
  std::call_once(once_, [&] {
    try {
      unpack();
    } catch (const BadImage& bad) {
      problem_ = bad.reason;
    } catch (const std::exception& error) {
      problem_ = fmt::format("cannot be unpacked: {}", error.what());
    }
  });
  if (problem_) throw BadImage{*problem_};
  return bytes_;
}

void Unpacked::unpack() {
  if (member_.empty())
    unpack_gzip();
  else
    unpack_zip_member();
}

// Not with libarchive, which does not look at a gzip file's checksum.
void Unpacked::unpack_gzip() {
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> in(gzopen(file_.c_str(), "rb"), &gzclose);
  if (!in) throw BadImage{"cannot be opened"};
  std::vector<std::uint8_t> block(1 << 20);
  int got = 0;
  do {
    got = gzread(in.get(), block.data(), static_cast<unsigned>(block.size()));
    int code = Z_OK;
    const char* text = gzerror(in.get(), &code);
    if (code != Z_OK && code != Z_STREAM_END)
      throw BadImage{fmt::format("is a damaged gzip file: {} after {} unpacked bytes", text, bytes_.size())};
    bytes_.insert(bytes_.end(), block.begin(), block.begin() + std::max(got, 0));
  } while (got > 0);
  if (gzdirect(in.get())) throw BadImage{"is no gzip file"};
}

void Unpacked::unpack_zip_member() {
  const Reader reader = make_reader([](archive* a) { archive_read_support_format_zip_seekable(a); });
  open_file(reader, file_, zip);
  archive_entry* entry = next_entry(reader, zip);
  while (entry && name_of(entry) != member_) entry = next_entry(reader, zip);
  if (!entry) throw BadImage{"cannot be read: the file was changed"};
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
  if (result != ARCHIVE_EOF)
    throw BadImage{fmt::format("is damaged: {} after {} unpacked bytes", reason(reader.get()), bytes_.size())};
}

}  // namespace core::data
