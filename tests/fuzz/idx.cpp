#include "tests/fuzz/file.h"

/// The first half is the images' file, the second the labels'; as they are, and as gzip files.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Bytes images(data, size / 2), labels(data + size / 2, size - size / 2);
  for (const std::string end : {"", ".gz"}) {
    fuzz::as_file("a-labels-idx1-ubyte" + end, labels);
    fuzz::read_all(fuzz::as_file("a-images-idx3-ubyte" + end, images));
  }
  return 0;
}
