// A kernel's name, from what the compiler calls the function that launches it.
#pragma once

#include <string_view>

namespace kernels::simt {

/// "silu<float>" of "... launch(...) [with auto kernel = kernels::cuda::silu<float>; ...]".
constexpr std::string_view kernel_name(std::string_view launcher) {
  constexpr std::string_view before = "kernel = ";
  const std::size_t at = launcher.find(before);
  if (at == std::string_view::npos) return launcher;
  std::string_view name = launcher.substr(at + before.size());
  name = name.substr(0, name.find_first_of(";]"));
  const std::size_t path = name.substr(0, name.find_first_of("<(")).rfind("::");
  return path == std::string_view::npos ? name : name.substr(path + 2);
}

}  // namespace kernels::simt
