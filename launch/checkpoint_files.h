// The part of `scoremle checkpoint` that reads and writes files of other programs.
#pragma once

#include "launch/command.h"

namespace launch {

void add_checkpoint_files(CLI::App& checkpoint, Action& chosen);

}  // namespace launch
