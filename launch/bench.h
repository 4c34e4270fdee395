// What the measurements of `scoremle bench` share.
#pragma once

#include "launch/command.h"

namespace launch {

struct BenchFlags {
  ConfigFlags config;
  int runs = 5;
  std::string trace;
};

/// Times the score of a micro-batch, alone and with the trace that the ODE likelihood needs.
int bench_score(const BenchFlags& flags, Session& session);

/// Times one step on several ranks: computing, exchanging, and both at once, in both reductions. Collective.
int bench_reduction(const BenchFlags& flags, Session& session);

}  // namespace launch
