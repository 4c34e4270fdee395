#include "core/picture/npz.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/ranges.h>

#include <memory>
#include <string>

#include "kernels/check.h"

namespace core::picture {
namespace {

/// The header of NumPy's format, version 1.0: magic, length, a dictionary padded to a multiple of 64 bytes.
std::string npy_header(const std::array<std::int64_t, 4>& shape) {
  constexpr std::size_t preamble = 10;
  std::string dictionary =
      fmt::format("{{'descr': '|u1', 'fortran_order': False, 'shape': ({}), }}", fmt::join(shape, ", "));
  dictionary.append(63 - (preamble + dictionary.size()) % 64, ' ').push_back('\n');
  std::string header("\x93NUMPY\x01\x00", 8);
  header.push_back(static_cast<char>(dictionary.size() % 256));
  header.push_back(static_cast<char>(dictionary.size() / 256));
  return header + dictionary;
}

}  // namespace

void write_npz(const std::filesystem::path& file, std::span<const std::uint8_t> images,
               const std::array<std::int64_t, 4>& shape) {
  const std::unique_ptr<archive, decltype(&archive_write_free)> zip(archive_write_new(), &archive_write_free);
  const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(), &archive_entry_free);
  const auto check = [&](la_ssize_t result) {
    kernels::require(result >= ARCHIVE_OK, "{}: cannot be written: {}", file.string(),
                     archive_error_string(zip.get()) ? archive_error_string(zip.get()) : "for an unknown reason");
  };
  const std::string header = npy_header(shape);
  check(archive_write_set_format_zip(zip.get()));
  check(archive_write_zip_set_compression_store(zip.get()));
  check(archive_write_open_filename(zip.get(), file.c_str()));
  archive_entry_set_pathname(entry.get(), "images.npy");
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(header.size() + images.size()));
  check(archive_write_header(zip.get(), entry.get()));
  check(archive_write_data(zip.get(), header.data(), header.size()));
  check(archive_write_data(zip.get(), images.data(), images.size()));
  check(archive_write_close(zip.get()));
}

}  // namespace core::picture
