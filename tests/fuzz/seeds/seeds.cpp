// Writes a small good input for every fuzz target into DIR/<target>/.
#include <filesystem>
#include <fstream>

#include "core/data/pack.h"
#include "core/data/packed_index.h"
#include "core/picture/png.h"
#include "distributed/manifest.h"

#include <archive.h>
#include <archive_entry.h>

namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

void write_archive(const fs::path& file, const std::string& name, const std::string& bytes, int (*format)(archive*)) {
  fs::create_directories(file.parent_path());
  archive* out = archive_write_new();
  format(out);
  archive_write_open_filename(out, file.c_str());
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, name.c_str());
  archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_write_header(out, entry);
  archive_write_data(out, bytes.data(), bytes.size());
  archive_entry_free(entry);
  archive_write_free(out);
}

/// A packed set of `image`, and the manifest of a checkpoint, both without the checksums that the targets add.
void write_messages(const fs::path& folder, const fs::path& image) {
  core::config::Data data;
  data.set_image_size(4);
  data.set_channels(3);
  data.mutable_training()->mutable_files()->add_path(image.string());
  core::data::pack(data, data.training().files(), folder / "set", 1 << 20, {});
  write(folder / "packed/good", core::data::read_index(folder / "set").SerializeAsString());
  distributed::Manifest manifest;
  manifest.set_format_version(distributed::newest_format);
  distributed::set_layout(manifest, distributed::Layout{.tensors = {}, .total = 0});
  write(folder / "manifest/good", manifest.SerializeAsString());
}

}  // namespace

int main(int, char** argv) {
  const fs::path folder = argv[1];
  const core::picture::Picture picture{4, 4, 3, std::vector<std::uint8_t>(48, 9)};
  fs::create_directories(folder / "picture");
  core::picture::write_png(folder / "picture/good.png", picture);
  const std::string png = contents(folder / "picture/good.png");
  write_archive(folder / "tar/good", "cats/a.png", png, archive_write_set_format_ustar);
  std::string head = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 4, 4, 3), }";
  head += std::string(117 - head.size(), ' ') + "\n";
  const std::string npy = "\x93NUMPY\x01\0\x76\0"s + head + std::string(48, 'x');
  write(folder / "npy/good", npy);
  write_archive(folder / "npz/good", "x.npy", npy, archive_write_set_format_zip);
  write(folder / "idx/good",
        "\0\0\x08\3\0\0\0\1\0\0\0\4\0\0\0\4xxxxxxxxxxxxxxxx"s + "\0\0\x08\1\0\0\0\1\3"s + std::string(23, '\0'));
  write(folder / "cifar/good", std::string(3073, '\1'));
  write(folder / "safetensors/good",
        "\x3a\0\0\0\0\0\0\0"s + R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}    )" + "\0\0\0\0"s);
  write(folder / "metrics/good", R"({"step":1,"loss_bits":6.5})"
                                 "\n"
                                 R"({"step":2,"heldout_bits":5.5,"heldout_bits_standard_error":0.1})"
                                 "\n"s);
  write(
      folder / "report/likelihood",
      R"({"data":"a","model":"b","rows":[{"name":"c","level":0,"bits_per_dim":4.5,"how":"d","standard_error":null}]})"s);
  write(folder / "report/jobs",
        R"({"started":"a","version":"b","host":"c","processor":"d","cores":2,"ranks":1,"threads":1})"s);
  write(folder / "set.tar", contents(folder / "tar/good"));
  write_messages(folder, folder / "set.tar");
}
