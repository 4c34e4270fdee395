// Places in a kernel's source, as messages name them.
#pragma once

#include <fmt/format.h>

#include <source_location>
#include <string>
#include <string_view>

namespace kernels::simt {

using Place = std::source_location;

inline bool same(const Place& a, const Place& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::string_view(a.file_name()) == std::string_view(b.file_name()));
}

/// The name of a path's file.
inline std::string_view file_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

inline std::string text(const Place& place) {
  return fmt::format("{}:{}", file_of(place.file_name()), place.line());
}

}  // namespace kernels::simt
