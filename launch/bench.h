// What the measurements of `scoremle bench` share.
#pragma once

#include <algorithm>
#include <cmath>

#include "distributed/metrics.h"
#include "launch/session.h"

namespace launch {

struct BenchFlags {
  ConfigFlags config;
  int runs = 5;
  DeviceFlags device;
  std::string collectives = "auto", trace, write;
};

/// Times a training step by kind of record, beside the least that this machine needs.
int bench_step(const BenchFlags& flags, Session& session);

struct BenchDataFlags {
  std::string packed;
  std::int64_t batch = 128;
};
/// Opens the set, which checks it, and reads every image once in the shuffled order of training, on one thread.
int bench_data(const BenchDataFlags& flags);

/// Seconds of the fastest of some runs of f, after one that brings the memory.
template <typename F>
double fastest(int runs, const F& f) {
  f();
  double best = INFINITY;
  for (int run = 0; run < runs; ++run) {
    const distributed::Timer timer;
    f();
    best = std::min(best, timer.seconds());
  }
  return best;
}

/// Times the score of a micro-batch, alone and with the trace that the ODE likelihood needs, by kind of record.
int bench_score(const BenchFlags& flags, Session& session);

/// Lists every kernel of a training step with its bytes, FLOPs and floor, and on a GPU its time.
int bench_kernels(const BenchFlags& flags, Session& session);

/// Writes which tile makes each matrix product of a training step fastest.
int bench_tune(const BenchFlags& flags, Session& session);

/// Times one step on several ranks: computing, exchanging, and both at once, in both reductions. Collective.
int bench_reduction(const BenchFlags& flags, Session& session);

}  // namespace launch
