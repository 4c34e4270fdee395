#include "kernels/simt/source_line.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>

#include "kernels/simt/place.h"

namespace kernels::simt {
namespace {

const char* program_begin() {
  static const char* const begin = [] {
    Dl_info info{};
    dladdr(reinterpret_cast<const void*>(&program_begin), &info);
    return static_cast<const char*>(info.dli_fbase);
  }();
  return begin;
}

}  // namespace

std::int32_t instruction_number(const void* instruction) {
  return static_cast<std::int32_t>(static_cast<const char*>(instruction) - program_begin());
}

std::string source_line(std::int32_t instruction_number) {
  // The address is where a call returns to; one less lies within it.
  const std::string command =
      fmt::format("addr2line -i -e /proc/{}/exe {:#x} 2>/dev/null", getpid(), instruction_number - 1);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> lines(popen(command.c_str(), "r"), &pclose);
  std::array<char, 1024> line;
  while (lines && std::fgets(line.data(), line.size(), lines.get())) {
    std::string_view place = line.data();
    place = place.substr(0, place.find_first_of(" \n"));  // " (discriminator 2)" may follow
    const bool ours =
        place.find("kernels/simt/") != std::string_view::npos && place.find(".h:") != std::string_view::npos;
    if (!place.starts_with("?") && !ours) return std::string(file_of(place));
  }
  return fmt::format("{:#x}", instruction_number);
}

}  // namespace kernels::simt
