// Where tests find the shared images and reference values, and what they say where there are none.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace tests {

/// Beside the checkout; tests run in its root.
inline std::filesystem::path shared(const std::string& name) {
  return std::filesystem::path("../shared") / name;
}

/// Those of `names` that are there. What is absent is said; with SCOREMLE_REQUIRE_SHARED set it ends the program, so
/// that continuous integration cannot pass without it.
inline std::vector<const char*> present(const std::vector<const char*>& names, const std::string& folder) {
  std::vector<const char*> found;
  for (const char* name : names) {
    if (std::filesystem::exists(shared(folder + name))) {
      found.push_back(name);
      continue;
    }
    std::fprintf(stderr, "NOT TESTED: %s is absent\n", shared(folder + name).c_str());
    if (std::getenv("SCOREMLE_REQUIRE_SHARED")) std::exit(1);
  }
  return found;
}

/// The names of all files in the folder with the extension (".bin"); said and required as by present().
inline std::vector<std::string> all_files(const std::string& folder, const std::string& extension) {
  std::vector<std::string> names;
  if (std::filesystem::is_directory(shared(folder))) {
    for (const auto& entry : std::filesystem::directory_iterator(shared(folder)))
      if (entry.path().extension() == extension) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) {
    std::fprintf(stderr, "NOT TESTED: %s has no %s files\n", shared(folder).c_str(), extension.c_str());
    if (std::getenv("SCOREMLE_REQUIRE_SHARED")) std::exit(1);
  }
  return names;
}

}  // namespace tests
