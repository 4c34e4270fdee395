// Finding the images in folders, tars and files of equal records, and their pixels.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/config/run.pb.h"
#include "core/data/archive.h"
#include "core/data/decode.h"

namespace core::data {

/// How the pixels lie in the bytes of an image.
enum class Coding { picture, interleaved, planar };  // PNG or JPEG; [h,w,c]; [c,h,w]

/// What all images of a folder, tar or file have in common.
struct Container {
  std::filesystem::path file;          // empty: each image is a file of its own,
  std::filesystem::path folder;        // somewhere in this one
  std::shared_ptr<Unpacked> unpacked;  // the images lie in what is packed in the file
  Coding coding = Coding::picture;
  ImageShape shape;          // of records; pictures say their own
  std::int32_t classes = 0;  // labels that the format has; 0: any
};

/// Where the bytes of one image lie, and its class.
struct ImageFile {
  std::shared_ptr<const Container> in;
  std::filesystem::path member;  // of a folder: the file's path; of a tar: its name there
  std::int64_t offset = 0, bytes = 0;
  std::int32_t label = 0;

  /// "photos/a.png", "shard.tar: cats/a.png at byte 512", "data_batch_1.bin: record at byte 3074": where its pixels
  /// are.
  std::string name() const;
};

struct Found {
  std::vector<ImageFile> images;
  std::int32_t classes = 1;
  std::vector<std::string> class_names;  // the folders; none where the files give numbers
};

/// Every image of the paths, in their order: inside a folder by path, inside a tar or file as they lie. Classes are
/// the folders, from where their paths differ to where they do, in alphabetical order ("cats" and "dogs" of
/// "train/cats/images" and "train/dogs/images"), or the numbers that the file gives. Throws InputError for a path that
/// is not there or holds no image, and for a file that is damaged, truncated or of another kind.
Found find_images(const config::Files& files);

/// The image as it is stored. Throws BadImage (decode.h) where it cannot be read whole.
Image read_image(const ImageFile& image);

}  // namespace core::data
