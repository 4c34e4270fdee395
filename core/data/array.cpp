#include "core/data/array.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace core::data {
namespace {

constexpr std::int64_t most_elements = std::int64_t{1} << 46;
constexpr std::int64_t largest_side = 65500;

void must(bool holds, const std::string& otherwise) {
  if (!holds) throw BadImage{otherwise};
}

void check_extents(const ArrayHead& head) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : head.extent) {
    must(extent > 0 && extent <= most_elements / elements,
         fmt::format("is an array of {} elements: nothing, or more than a file holds", fmt::join(head.extent, " x ")));
    elements *= extent;
  }
}

/// What follows `key` and a colon in the text of a Python dictionary.
std::string_view value_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  must(at != std::string_view::npos, fmt::format("is a damaged .npy: its head has no {}", key));
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_not_of(" :"), text.size()));
  return text;
}

std::vector<std::int64_t> parse_tuple(std::string_view text) {
  const std::size_t end = text.find(')');
  must(text.starts_with('(') && end != std::string_view::npos, "is a damaged .npy: its shape has no end");
  text = text.substr(1, end - 1);
  std::vector<std::int64_t> numbers;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" ,"), text.size()));
    if (text.empty()) return numbers;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), numbers.emplace_back());
    must(error == std::errc(), "is a damaged .npy: its shape holds no numbers");
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  }
}

std::int64_t element_bytes(const std::string& type) {
  const bool plain = type.size() == 3 && std::strchr("|<", type[0]) && std::strchr("uif", type[1]);
  return plain && std::strchr("1248", type[2]) ? type[2] - '0' : 0;
}

}  // namespace

std::int64_t ArrayHead::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t n : extent) product *= n;
  return product;
}

std::int64_t ArrayHead::bytes() const {
  return elements() * element_bytes(type);
}

ArrayHead parse_idx(std::span<const std::uint8_t> file) {
  must(file.size() >= 4 && file[0] == 0 && file[1] == 0 && file[3] >= 1 && file[3] <= 4, "is no IDX file");
  must(file[2] == 8, fmt::format("is an IDX file of type {:#04x}; only unsigned bytes (0x08) are read", file[2]));
  ArrayHead head{.type = "|u1", .extent = {}, .offset = 4 + 4 * file[3]};
  must(std::ssize(file) >= head.offset, "is an IDX file that ends inside its head");
  for (std::size_t at = 4; at < static_cast<std::size_t>(head.offset); at += 4) {
    head.extent.push_back(std::int64_t{file[at]} << 24 | file[at + 1] << 16 | file[at + 2] << 8 | file[at + 3]);
  }
  check_extents(head);
  return head;
}

ArrayHead parse_npy(std::span<const std::uint8_t> file) {
  constexpr std::uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
  must(file.size() >= 12 && std::equal(std::begin(magic), std::end(magic), file.begin()), "is no .npy array");
  must(file[6] >= 1 && file[6] <= 3, fmt::format("is a .npy array of format {}, only 1 to 3 are read", file[6]));
  const std::size_t start = file[6] == 1 ? 10 : 12;
  const std::size_t length = file[8] | file[9] << 8 | (start == 12 ? file[10] << 16 | std::size_t{file[11]} << 24 : 0);
  must(start + length <= std::min(file.size(), largest_head), "is a damaged .npy: its head has no end");
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + start, length);
  const std::string_view type = value_of(text, "'descr'"), order = value_of(text, "'fortran_order'");
  ArrayHead head{.type = std::string(type.substr(0, 1) == "'" ? type.substr(1, type.find('\'', 1) - 1) : "structured"),
                 .extent = parse_tuple(value_of(text, "'shape'")),
                 .offset = static_cast<std::int64_t>(start + length)};
  must(order.starts_with("False"), "is in Fortran order; save numpy.ascontiguousarray of it");
  check_extents(head);
  return head;
}

ImageArray images_of(const ArrayHead& head) {
  const auto& n = head.extent;
  const auto channels = [](std::int64_t c) { return c == 1 || c == 3; };
  const auto array = [&](std::int64_t height, std::int64_t width, std::int64_t c, Coding coding) {
    must(std::max(height, width) <= largest_side, fmt::format("holds images larger than {} pixels", largest_side));
    return ImageArray{n[0], {static_cast<int>(height), static_cast<int>(width), static_cast<int>(c)}, coding};
  };
  must(head.type == "|u1", fmt::format("is an array of {}; only 8-bit unsigned pixels (|u1) are read", head.type));
  if (n.size() == 3 && !channels(n[2])) return array(n[1], n[2], 1, Coding::interleaved);
  if (n.size() == 4 && channels(n[3]) != channels(n[1]))
    return channels(n[3]) ? array(n[1], n[2], n[3], Coding::interleaved) : array(n[2], n[3], n[1], Coding::planar);
  if (n.size() == 2) {
    std::int64_t side = 1;
    while (side < largest_side && side * side < n[1]) ++side;
    if (side * side == n[1]) return array(side, side, 1, Coding::interleaved);
  }
  throw BadImage{fmt::format(
      "is an array of {}, which does not tell height, width and channels; save it as [images, height, width, channels]",
      fmt::join(n, " x "))};
}

std::vector<std::int32_t> labels_of(const ArrayHead& head, std::span<const std::uint8_t> file) {
  const std::int64_t size = element_bytes(head.type);
  must(size > 0 && head.type[1] != 'f', fmt::format("is an array of {}; labels are little-endian integers", head.type));
  must(std::ssize(file) == head.offset + head.bytes(),
       fmt::format("has {} bytes where its head tells {}", file.size(), head.offset + head.bytes()));
  std::vector<std::int32_t> labels;
  for (std::int64_t at = head.offset; at < std::ssize(file); at += size) {
    const auto value = file.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(size));
    std::uint64_t label = 0;
    for (std::size_t byte = value.size(); byte-- > 0;) label = label << 8 | value[byte];
    const bool negative = head.type[1] == 'i' && value.back() > 127;
    must(!negative && label < (std::uint64_t{1} << 31) - 1,
         fmt::format("holds, at byte {}, a number that is no label", at));
    labels.push_back(static_cast<std::int32_t>(label));
  }
  return labels;
}

}  // namespace core::data
