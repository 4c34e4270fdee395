// .safetensors files: 8 bytes of header length, a JSON header, raw tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace core::model {

struct NamedTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

struct SafeTensors {
  std::map<std::string, std::string> metadata;
  std::map<std::string, NamedTensor> tensors;
  std::map<std::string, std::string> unread;  // tensors of other types than F32, which are not read, and their types
};

/// Reads a whole file. Throws InputError naming the file and what is wrong with it.
SafeTensors read_safetensors(const std::filesystem::path& file);

/// Writes F32 tensors one after another, by name, from a multiple of 8 bytes on: the same content is the same bytes.
/// Throws InputError naming the file and the reason where it cannot be written whole.
void write_safetensors(const std::filesystem::path& file, const SafeTensors& content);

}  // namespace core::model
