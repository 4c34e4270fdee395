#include "core/model/safetensors.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/check.h"

namespace core::model {
namespace {

constexpr std::uint64_t largest_header = 100'000'000;  // bytes, as the format's own implementation has it

std::string read_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  kernels::require(in.good() && std::filesystem::is_regular_file(file), "{}: is no file that can be opened",
                   file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

NamedTensor read_tensor(const std::string& where, const nlohmann::json& entry, std::string_view payload) {
  NamedTensor tensor;
  tensor.shape = entry.at("shape").get<std::vector<std::int64_t>>();
  std::uint64_t elements = 1;
  for (std::int64_t extent : tensor.shape) {
    kernels::require(extent >= 0 && (extent == 0 || elements <= payload.size() / static_cast<std::uint64_t>(extent)),
                     "{}: has the shape {}, which is more than the file holds; it is damaged or cut off", where,
                     entry.at("shape").dump());
    elements *= static_cast<std::uint64_t>(extent);
  }
  const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>(),
             end = entry.at("data_offsets").at(1).get<std::uint64_t>();
  kernels::require(begin <= end && end <= payload.size() && end - begin == 4 * elements,
                   "{}: bytes {} to {} do not hold its {} elements; the file is damaged or cut off", where, begin, end,
                   elements);
  tensor.values.resize(elements);
  std::memcpy(tensor.values.data(), payload.data() + begin, end - begin);
  return tensor;
}

}  // namespace

SafeTensors read_safetensors(const std::filesystem::path& file) {
  static_assert(std::endian::native == std::endian::little, "the format is little-endian");
  const std::string bytes = read_bytes(file);
  std::uint64_t length = 0;
  if (bytes.size() >= 8) std::memcpy(&length, bytes.data(), 8);
  kernels::require(bytes.size() >= 8 && length <= largest_header && length <= bytes.size() - 8,
                   "{}: is not a safetensors file (its header has no end)", file.string());
  const auto header =
      nlohmann::json::parse(bytes.begin() + 8, bytes.begin() + 8 + static_cast<std::ptrdiff_t>(length), nullptr, false);
  kernels::require(header.is_object(), "{}: is not a safetensors file (its header is not JSON)", file.string());
  const std::string_view payload = std::string_view(bytes).substr(8 + length);
  SafeTensors result;
  try {
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__")
        result.metadata = entry.get<std::map<std::string, std::string>>();
      else if (const auto type = entry.at("dtype").get<std::string>(); type != "F32")
        result.unread[name] = type;
      else
        result.tensors[name] = read_tensor(fmt::format("{}: tensor {}", file.string(), name), entry, payload);
    }
  } catch (const nlohmann::json::exception& error) {
    throw kernels::InputError(
        fmt::format("{}: its header is not that of a safetensors file: {}", file.string(), error.what()));
  }
  return result;
}

void write_safetensors(const std::filesystem::path& file, const SafeTensors& content) {
  nlohmann::json header = {{"__metadata__", content.metadata}};
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : content.tensors) {
    const std::uint64_t end = offset + 4 * tensor.values.size();
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();

  errno = 0;
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out.write(text.data(), std::ssize(text));
  for (const auto& [name, tensor] : content.tensors) {
    out.write(reinterpret_cast<const char*>(tensor.values.data()), 4 * std::ssize(tensor.values));
  }
  out.flush();
  kernels::require(out.good(), "{}: cannot be written: {}", file.string(), std::strerror(errno));
}

}  // namespace core::model
