// The two ways to fail: wrong input, which the user can mend, and a broken promise of a library or of ours.
#pragma once

#include <fmt/format.h>

#include <source_location>
#include <stdexcept>
#include <string>

namespace kernels {

/// Wrong input: a flag, a config field, a data file, a checkpoint. The text is one line that says what, where and what
/// to do; `main` prints it and exits with status 2.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A computation that cannot go on: a non-finite loss, a state that must not be. `main` exits with `status`.
struct RunError : std::runtime_error {
  RunError(const std::string& text, int exit_status) : std::runtime_error(text), status(exit_status) {}
  int status;
};

/// Throws InputError unless `holds`.
template <typename... Arguments>
void require(bool holds, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  if (!holds) throw InputError(fmt::format(text, std::forward<Arguments>(arguments)...));
}

/// Throws std::logic_error with the place of the call unless `holds`: for our own promises, never for input.
inline void ensure(bool holds, const char* promise, std::source_location place = std::source_location::current()) {
  if (!holds)
    throw std::logic_error(fmt::format("{}:{}: broken promise: {}", place.file_name(), place.line(), promise));
}

}  // namespace kernels
