// What the measurements of `scoremle bench` share.
#pragma once

#include "launch/command.h"

namespace launch {

struct BenchFlags {
  ConfigFlags config;
  int runs = 5;
  std::string trace;
};

/// Times one step on several ranks: computing, exchanging, and both at once, in both reductions. Collective.
int bench_reduction(const BenchFlags& flags, Session& session);

}  // namespace launch
