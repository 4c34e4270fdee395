// From an instruction of this program back to its line, by its debugging information and the addr2line of binutils.
#pragma once

#include <cstdint>
#include <string>

namespace kernels::simt {

/// An instruction's place in the program.
std::int32_t instruction_number(const void* instruction);

/// "file.cu:12", the innermost line that is not the emulator's own; the number where it is not known.
std::string source_line(std::int32_t instruction_number);

}  // namespace kernels::simt
